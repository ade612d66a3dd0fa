// src/telemetry/alert_outlet.hpp - what one receiver is told, however long it does not listen
#pragma once

#include "base/doorbell.hpp"
#include "base/time.hpp"
#include "ports/alert.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace firstcome::telemetry {

struct OutletOptions {
    std::string name{};         ///< `alertmanager`, `alert-webhook`: metric label, log field
    std::string thread_name{};  ///< 15 characters at most
    /// How often it is told again of what goes on; 0: once is enough.
    std::chrono::milliseconds repeat{0};
    /// Whether this node is the one to tell of it; empty: always.
    std::function<bool(const ports::Alert&)> ours{};
    std::size_t waiting_max = 1000;  ///< alerts; what has no room is offered again at the next look
    std::size_t batch_max = 100;     ///< alerts told at once
    std::chrono::milliseconds backoff{500};  ///< after the first failure; doubles
    std::chrono::milliseconds backoff_max = std::chrono::seconds{30};
};

/// Since the start.
struct OutletCounts {
    std::uint64_t told = 0;     ///< alerts
    std::uint64_t failed = 0;   ///< calls that failed and are made again
    std::uint64_t refused = 0;  ///< alerts the receiver will never take
    std::uint64_t dropped = 0;  ///< ends nobody was told of, for want of room
    std::uint64_t waiting = 0;  ///< alerts, now
};

/// Stands between the board and a receiver: decides what is news, waits for a thread of its own to
/// tell it, as often as it takes. Of one alert only the newest word waits: a receiver that was away
/// hears that something is over, not that it once began.
class AlertOutlet {
public:
    /// `clock` outlives this.
    AlertOutlet(
        OutletOptions options,
        std::unique_ptr<ports::AlertReceiver> receiver,
        const base::Clock& clock
    );
    ~AlertOutlet();
    AlertOutlet(const AlertOutlet&) = delete;
    AlertOutlet& operator=(const AlertOutlet&) = delete;

    /// What fires, and what has just ended. Never waits for the receiver.
    ///
    /// Thread   the watch's
    void offer(std::span<const ports::Alert> firing, std::span<const ports::Alert> over);

    /// Tells once of what waits. Returns the time to rest before the next call.
    ///
    /// Thread   the outlet's (`start`), or a test's
    std::chrono::milliseconds step();

    void start();
    /// Ends a call at hand; the thread ends by itself. Thread: any
    void stop();

    [[nodiscard]] const std::string& name() const { return options_.name; }

    /// Thread   any
    [[nodiscard]] OutletCounts counts() const;

private:
    using Key = std::pair<ports::AlertKind, std::string>;

    [[nodiscard]] bool is_news(const ports::Alert& alert, base::MonotonicTime now) const;
    [[nodiscard]] bool enqueue(const ports::Alert& alert);
    [[nodiscard]] std::vector<ports::Alert> take_batch();
    std::chrono::milliseconds failed(std::vector<ports::Alert> batch, const ports::AlertFault& why);
    void run();

    OutletOptions options_;
    std::unique_ptr<ports::AlertReceiver> receiver_;
    const base::Clock& clock_;                 // outlives
    std::map<Key, base::MonotonicTime> told_;  // the watch's: what fires, and when it was said
    mutable std::mutex mutex_;                 // waiting_
    std::map<Key, ports::Alert> waiting_;
    std::chrono::milliseconds backoff_{0};  // the outlet's thread: 0: the receiver is well
    base::Doorbell bell_;
    std::atomic<bool> stopped_{false};
    std::atomic<std::uint64_t> tells_{0};
    std::atomic<std::uint64_t> failed_{0};
    std::atomic<std::uint64_t> refused_{0};
    std::atomic<std::uint64_t> dropped_{0};
    std::thread thread_;
};

}  // namespace firstcome::telemetry
