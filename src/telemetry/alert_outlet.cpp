// src/telemetry/alert_outlet.cpp - what one receiver is told, however long it does not listen
#include "telemetry/alert_outlet.hpp"

#include "base/assert.hpp"
#include "telemetry/log.hpp"

#include <algorithm>
#include <pthread.h>
#include <utility>

namespace firstcome::telemetry {

namespace {

constexpr std::chrono::milliseconds until_rung = std::chrono::hours{1};

}  // namespace

AlertOutlet::AlertOutlet(
    OutletOptions options, std::unique_ptr<ports::AlertReceiver> receiver, const base::Clock& clock
)
    : options_(std::move(options)), receiver_(std::move(receiver)), clock_(clock) {}

AlertOutlet::~AlertOutlet() {
    stop();
    if (thread_.joinable()) thread_.join();
}

bool AlertOutlet::is_news(const ports::Alert& alert, base::MonotonicTime now) const {
    const auto told = told_.find(alert.key());
    if (told == told_.end()) return !options_.ours || options_.ours(alert);
    return options_.repeat.count() > 0 && now - told->second >= options_.repeat;
}

bool AlertOutlet::enqueue(const ports::Alert& alert) {
    const std::lock_guard lock{mutex_};
    const auto found = waiting_.find(alert.key());
    if (found != waiting_.end()) {
        found->second = alert;
        return true;
    }
    if (waiting_.size() >= options_.waiting_max) return false;
    waiting_.emplace(alert.key(), alert);
    return true;
}

void AlertOutlet::offer(std::span<const ports::Alert> firing, std::span<const ports::Alert> over) {
    const auto now = clock_.monotonic();
    bool news = false;
    for (const ports::Alert& alert : over) {
        const bool was_told = told_.erase(alert.key()) > 0;
        if (!was_told && options_.ours && !options_.ours(alert)) continue;
        news = true;
        if (!enqueue(alert)) dropped_.fetch_add(1, std::memory_order_relaxed);
    }
    for (const ports::Alert& alert : firing) {
        if (!is_news(alert, now) || !enqueue(alert)) continue;
        told_[alert.key()] = now;
        news = true;
    }
    if (news) bell_.ring();
}

std::vector<ports::Alert> AlertOutlet::take_batch() {
    const std::lock_guard lock{mutex_};
    std::vector<ports::Alert> batch;
    while (!waiting_.empty() && batch.size() < options_.batch_max) {
        batch.push_back(std::move(waiting_.extract(waiting_.begin()).mapped()));
    }
    return batch;
}

std::chrono::milliseconds AlertOutlet::step() {
    std::vector<ports::Alert> batch = take_batch();
    if (batch.empty()) return until_rung;
    const std::size_t size = batch.size();
    if (const auto told = receiver_->tell(batch); !told) {
        return failed(std::move(batch), told.error());
    }
    tells_.fetch_add(size, std::memory_order_relaxed);
    if (backoff_.count() > 0) log::info("alerts are delivered again", {{"to", options_.name}});
    backoff_ = {};
    return {};
}

// Said once per outage, not per attempt; the counter has each.
std::chrono::milliseconds AlertOutlet::failed(
    std::vector<ports::Alert> batch, const ports::AlertFault& why
) {
    if (!why.passing) {
        refused_.fetch_add(batch.size(), std::memory_order_relaxed);
        log::error(
            "alerts were refused",
            {{"to", options_.name}, {"alerts", batch.size()}, {"reason", why.text}}
        );
        return {};
    }
    failed_.fetch_add(1, std::memory_order_relaxed);
    if (backoff_.count() == 0 && !stopped_.load()) {
        log::warn(
            "alerts cannot be delivered; they wait", {{"to", options_.name}, {"reason", why.text}}
        );
    }
    backoff_ = std::min(std::max(backoff_ * 2, options_.backoff), options_.backoff_max);
    const std::lock_guard lock{mutex_};
    // What was said meanwhile is newer.
    for (ports::Alert& alert : batch) waiting_.try_emplace(alert.key(), std::move(alert));
    return backoff_;
}

void AlertOutlet::start() {
    FC_ASSERT(!thread_.joinable());
    thread_ = std::thread([this] {
        pthread_setname_np(pthread_self(), options_.thread_name.c_str());
        run();
    });
}

// News of another alert do not cut a backoff short: the receiver has rest until then.
void AlertOutlet::run() {
    while (!stopped_.load()) {
        auto rest = step();
        const auto until = clock_.monotonic() + rest;
        const bool backs_off = backoff_.count() > 0;
        while (rest.count() > 0 && !stopped_.load()) {
            bell_.rest(rest);
            if (!backs_off) break;
            rest = std::chrono::ceil<std::chrono::milliseconds>(until - clock_.monotonic());
        }
    }
}

void AlertOutlet::stop() {
    stopped_.store(true);
    receiver_->stop();
    bell_.ring();
}

OutletCounts AlertOutlet::counts() const {
    OutletCounts counts;
    counts.told = tells_.load(std::memory_order_relaxed);
    counts.failed = failed_.load(std::memory_order_relaxed);
    counts.refused = refused_.load(std::memory_order_relaxed);
    counts.dropped = dropped_.load(std::memory_order_relaxed);
    const std::lock_guard lock{mutex_};
    counts.waiting = waiting_.size();
    return counts;
}

}  // namespace firstcome::telemetry
