// src/app/watchdog.hpp - sees that the threads that must move do move, and says so
#pragma once

#include "base/doorbell.hpp"
#include "base/time.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace firstcome::app {

/// A thread's sign of life.
struct Beat {
    base::MonotonicTime last{};
    bool idle = false;  ///< it waits for work: however long, that is no standstill
};

struct WatchedThread {
    std::string name;  ///< `fc-lane-0`
    std::function<Beat()> beat;
};

struct WatchdogOptions {
    std::chrono::milliseconds stuck_after{5'000};
    std::chrono::milliseconds every{1'000};  ///< how often the thread looks
};

/// What the watchdog's thread tells; each may be empty.
struct WatchdogEvents {
    std::function<void(const std::string& name)> stuck;  ///< once, when it stands still
    std::function<void(const std::string& name)> moves;  ///< once, when it moves again
    std::function<void()> alive;                         ///< each time that nothing stands still
};

/// Thread   `stuck` any; the rest main. Its own, `fc-watchdog`, waits for nothing: what is told of
///          it (a supervisor, by `alive`) is true also while everything else hangs.
class Watchdog {
public:
    Watchdog(
        WatchdogOptions options,
        std::vector<WatchedThread> watched,
        WatchdogEvents events,
        const base::Clock& clock
    );
    ~Watchdog();
    Watchdog(const Watchdog&) = delete;
    Watchdog& operator=(const Watchdog&) = delete;

    /// The names of those that have not moved for too long, as of now; empty: all is well.
    [[nodiscard]] std::vector<std::string> stuck() const;

    /// One look. Thread: `fc-watchdog`, or a test's
    void step();

    void start();
    /// From now on nothing is called stuck: threads end because they shall.
    void stop();

private:
    void run();

    WatchdogOptions options_;
    std::vector<WatchedThread> watched_;
    WatchdogEvents events_;
    const base::Clock& clock_;       // outlives
    std::vector<std::string> told_;  // stuck, at the last look
    base::Doorbell bell_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace firstcome::app
