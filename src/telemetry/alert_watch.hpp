// src/telemetry/alert_watch.hpp - looks at the figures again and again, and says what changed
#pragma once

#include "base/doorbell.hpp"
#include "base/time.hpp"
#include "telemetry/alert_board.hpp"
#include "telemetry/alert_outlet.hpp"
#include "telemetry/alert_rules.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace firstcome::telemetry {

struct WatchOptions {
    std::chrono::milliseconds interval{1'000};  ///< between two looks
    std::string instance{};                     ///< this node, in its own alerts
    AlertLimits limits{};
};

/// What /metrics shows of the alerts; empty: nobody watches.
struct AlertStats {
    std::vector<std::uint64_t> firing;  ///< [i]: of ports::alert_kinds[i]
    std::vector<std::pair<std::string, OutletCounts>> outlets;
    std::uint64_t suppressed = 0;
};

/// The built-in evaluator: rules, board and outlets, on the thread `fc-alerts`. It reads what is
/// published anyway and never asks a lane.
class AlertWatch {
public:
    using Source = std::function<AlertFigures()>;
    using Outlets = std::vector<std::unique_ptr<AlertOutlet>>;

    /// `clock`, and what `source` uses, outlive this.
    AlertWatch(WatchOptions options, Source source, Outlets outlets, const base::Clock& clock);
    ~AlertWatch();
    AlertWatch(const AlertWatch&) = delete;
    AlertWatch& operator=(const AlertWatch&) = delete;

    /// One look.
    ///
    /// Thread   the watch's (`start`), or a test's
    void look();

    void start();
    /// No look begins any more, and no call of an outlet goes on; the threads end by themselves.
    ///
    /// Thread   any
    void stop();

    /// Thread   any
    [[nodiscard]] std::vector<ports::Alert> firing() const;
    /// Thread   any
    [[nodiscard]] AlertStats stats() const;

private:
    void run();

    WatchOptions options_;
    Source source_;
    const base::Clock& clock_;  // outlives
    AlertRules rules_;
    AlertBoard board_;
    Outlets outlets_;
    mutable std::mutex mutex_;  // shown_, suppressed_; held for a copy only
    std::vector<ports::Alert> shown_;
    std::uint64_t suppressed_ = 0;
    base::Doorbell bell_;
    std::atomic<bool> stopped_{false};
    std::thread thread_;
};

}  // namespace firstcome::telemetry
