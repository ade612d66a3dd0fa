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

}  // namespace

Scrapes::Scrapes(std::function<std::string()> render, const base::Clock& clock)
    : render_(std::move(render)), clock_(clock) {}

std::string Scrapes::text() {
    const std::lock_guard lock{mutex_};
    const auto began = clock_.monotonic();
    if (paid_until_ > began + owed_max) return last_;
    last_ = render_();
    const auto cost = clock_.monotonic() - began;
    paid_until_ = std::max(paid_until_, began) + cost * parts;
    return last_;
}

}  // namespace firstcome::telemetry
