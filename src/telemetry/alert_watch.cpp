// src/telemetry/alert_watch.cpp - looks at the figures again and again, and says what changed
#include "telemetry/alert_watch.hpp"

#include "base/assert.hpp"
#include "telemetry/log.hpp"

#include <algorithm>
#include <pthread.h>
#include <set>
#include <utility>

namespace firstcome::telemetry {

namespace {

using Key = std::pair<ports::AlertKind, std::string>;

std::set<Key> keys_of(const std::vector<ports::Alert>& alerts) {
    std::set<Key> keys;
    for (const ports::Alert& alert : alerts) keys.insert(alert.key());
    return keys;
}

// "begins" is no error of ours, but it is what somebody who reads nothing else should see.
void log_begin(const ports::Alert& alert) {
    const bool grave = severity(alert.kind) != "info";
    log::write(
        grave ? log::Level::warn : log::Level::info,
        "alert fires",
        {{"alert", name(alert.kind)}, {"about", alert.subject}, {"summary", alert.summary}}
    );
}

void log_end(const ports::Alert& alert) {
    log::info("alert is over", {{"alert", name(alert.kind)}, {"about", alert.subject}});
}

}  // namespace

AlertWatch::AlertWatch(
    WatchOptions options, Source source, Outlets outlets, const base::Clock& clock
)
    : options_(std::move(options)),
      source_(std::move(source)),
      clock_(clock),
      rules_(options_.limits),
      board_(options_.instance),
      outlets_(std::move(outlets)) {}

AlertWatch::~AlertWatch() {
    stop();
    if (thread_.joinable()) thread_.join();
}

void AlertWatch::look() {
    const AlertFigures figures = source_();
    const auto over = board_.look(rules_.judge(figures), figures.at, clock_.wall());
    std::vector<ports::Alert> firing = board_.firing();
    for (const auto& outlet : outlets_) outlet->offer(firing, over);
    for (const ports::Alert& alert : over) log_end(alert);
    const std::set<Key> before = keys_of(shown_);
    for (const ports::Alert& alert : firing) {
        if (!before.contains(alert.key())) log_begin(alert);
    }
    const std::lock_guard lock{mutex_};
    shown_ = std::move(firing);
    suppressed_ = board_.suppressed();
}

void AlertWatch::start() {
    FC_ASSERT(!thread_.joinable());
    for (const auto& outlet : outlets_) outlet->start();
    thread_ = std::thread([this] {
        pthread_setname_np(pthread_self(), "fc-alerts");
        run();
    });
}

// Looks keep to their beat: a look that took long is not followed by a whole interval.
void AlertWatch::run() {
    auto next = clock_.monotonic();
    while (!stopped_.load()) {
        look();
        next = std::max(next + options_.interval, clock_.monotonic());
        while (!stopped_.load() && clock_.monotonic() < next) {
            bell_.rest(next - clock_.monotonic());
        }
    }
}

void AlertWatch::stop() {
    stopped_.store(true);
    bell_.ring();
    for (const auto& outlet : outlets_) outlet->stop();
}

std::vector<ports::Alert> AlertWatch::firing() const {
    const std::lock_guard lock{mutex_};
    return shown_;
}

AlertStats AlertWatch::stats() const {
    AlertStats stats;
    stats.firing.resize(ports::alert_kinds.size());
    for (const auto& outlet : outlets_) {
        stats.outlets.emplace_back(outlet->name(), outlet->counts());
    }
    const std::lock_guard lock{mutex_};
    stats.suppressed = suppressed_;
    for (const ports::Alert& alert : shown_) ++stats.firing[static_cast<std::size_t>(alert.kind)];
    return stats;
}

}  // namespace firstcome::telemetry
