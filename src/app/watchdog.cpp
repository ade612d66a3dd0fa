// src/app/watchdog.cpp - sees that the threads that must move do move, and says so
#include "app/watchdog.hpp"

#include <algorithm>
#include <pthread.h>
#include <utility>

namespace firstcome::app {

namespace {

void tell(
    const std::function<void(const std::string&)>& event,
    const std::vector<std::string>& of,
    const std::vector<std::string>& but_not
) {
    if (!event) return;
    for (const std::string& name : of) {
        if (std::ranges::find(but_not, name) == but_not.end()) event(name);
    }
}

}  // namespace

Watchdog::Watchdog(
    WatchdogOptions options,
    std::vector<WatchedThread> watched,
    WatchdogEvents events,
    const base::Clock& clock
)
    : options_(options), watched_(std::move(watched)), events_(std::move(events)), clock_(clock) {}

Watchdog::~Watchdog() {
    stop();
}

std::vector<std::string> Watchdog::stuck() const {
    std::vector<std::string> names;
    if (stopping_.load()) return names;
    for (const WatchedThread& each : watched_) {
        const Beat beat = each.beat();
        // The clock is read after the beat: a thread that beats in between is not late.
        const bool late = clock_.monotonic() - beat.last > options_.stuck_after;
        if (late && !beat.idle) names.push_back(each.name);
    }
    return names;
}

void Watchdog::step() {
    std::vector<std::string> now = stuck();
    tell(events_.stuck, now, told_);
    tell(events_.moves, told_, now);
    if (now.empty() && events_.alive) events_.alive();
    told_ = std::move(now);
}

void Watchdog::start() {
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), "fc-watchdog");
}

void Watchdog::stop() {
    stopping_.store(true);
    bell_.ring();
    if (thread_.joinable()) thread_.join();
}

void Watchdog::run() {
    while (!stopping_.load()) {
        step();
        bell_.rest(options_.every);
    }
}

}  // namespace firstcome::app
