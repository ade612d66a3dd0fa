// src/telemetry/scrapes.cpp - the text of /metrics for those who ask, however often
#include "telemetry/scrapes.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace firstcome::telemetry {

namespace {

/// Of the time, rendering may take one part in so many.
constexpr int parts = 10;

/// What may be owed before nothing fresh is rendered: a tenth of a second of rendering.
constexpr std::chrono::seconds owed_max{1};

/// While one renders, the others get a text no older than this, and wait only for want of one. Well
/// below the pace of scrapers: two that ask at once must not make one of them see the past.
constexpr std::chrono::seconds shared_max{5};

}  // namespace

Scrapes::Scrapes(std::function<std::string()> render, const base::Clock& clock)
    : render_(std::move(render)), clock_(clock) {}

std::string Scrapes::text() {
    return *current();  // copied where nobody waits for it
}

std::shared_ptr<const std::string> Scrapes::current() {
    std::unique_lock turn{turn_, std::try_to_lock};
    if (!turn) {
        const auto oldest = clock_.monotonic() - shared_max;
        if (auto last = last_since(oldest)) return last;
        turn.lock();
        if (auto last = last_since(oldest)) return last;  // what it has waited for
    }
    const auto began = clock_.monotonic();
    if (paid_until_ > began + owed_max) return last_since(base::MonotonicTime::min());
    auto fresh = std::make_shared<const std::string>(render_());
    const auto cost = clock_.monotonic() - began;
    paid_until_ = std::max(paid_until_, began) + cost * parts;
    const std::lock_guard lock{mutex_};
    last_ = fresh;
    last_at_ = began;
    return fresh;
}

std::shared_ptr<const std::string> Scrapes::last_since(base::MonotonicTime oldest) {
    const std::lock_guard lock{mutex_};
    return last_at_ < oldest ? nullptr : last_;
}

}  // namespace firstcome::telemetry
