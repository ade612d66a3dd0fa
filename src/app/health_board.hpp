// src/app/health_board.hpp - what every health indicator last said; probes read it and never wait
#pragma once

#include "base/doorbell.hpp"
#include "base/time.hpp"
#include "ports/health_indicator.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace firstcome::app {

struct HealthOptions {
    std::chrono::milliseconds every{5'000};  ///< between two rounds
};

/// A component as it is shown.
struct HealthComponent {
    std::string name;
    ports::Health health;
};

/// Several components, and what they come to.
struct HealthView {
    ports::HealthStatus status = ports::HealthStatus::unknown;
    std::vector<HealthComponent> components;  ///< sorted by name
};

/// A name for some of the components: what a load balancer or an orchestrator asks for.
struct HealthGroup {
    std::string name;
    std::vector<std::string> components;
};

/// Asks the indicators in turn, on the thread `fc-health`; everybody else reads what they last
/// said. One that hangs holds up the others on that thread, never a reader: it is shown as down
/// with the time it has taken, those behind it as unknown once what they said is old.
///
/// Thread   add, add_state, add_group, start, stop: main; the rest any
class HealthBoard {
public:
    HealthBoard(HealthOptions options, const base::Clock& clock);  // clock outlives
    ~HealthBoard();
    HealthBoard(const HealthBoard&) = delete;
    HealthBoard& operator=(const HealthBoard&) = delete;

    /// Before `start`. Names are unique.
    void add(std::unique_ptr<ports::HealthIndicator> indicator);

    /// A component that is looked at by the reader itself, so it is never old. `look` never waits.
    void add_state(std::string name, std::function<ports::HealthStatus()> look);

    void add_group(HealthGroup group);

    /// Asks those that wait for nothing at once, so that they are known from the first reader on,
    /// and starts the thread.
    void start();
    /// Cancels the indicator that is being asked, and waits for it.
    void stop();

    /// One round. Thread: `fc-health`, or a test's
    void refresh();

    [[nodiscard]] HealthView all() const;
    /// Nothing: no such group. A component of it that this node does not have is left out.
    [[nodiscard]] std::optional<HealthView> group(std::string_view name) const;
    /// Nothing: no such component.
    [[nodiscard]] std::optional<ports::Health> component(std::string_view name) const;

    [[nodiscard]] const std::vector<HealthGroup>& groups() const { return groups_; }

private:
    struct Entry {
        std::string name;
        std::unique_ptr<ports::HealthIndicator> indicator;  // null: a state
        std::function<ports::HealthStatus()> look;
        std::optional<base::MonotonicTime> asked_at;  // set: it is being asked
        std::optional<base::MonotonicTime> answered_at;
        ports::Health health;
    };

    void add(Entry entry);
    void ask(std::size_t at);
    [[nodiscard]] ports::Health shown(const Entry& entry, base::MonotonicTime now) const;
    void run();

    HealthOptions options_;
    const base::Clock& clock_;  // outlives
    std::vector<HealthGroup> groups_;
    std::chrono::milliseconds round_max_{};  // when every indicator takes all its time
    mutable std::mutex mutex_;               // held for a copy only
    std::vector<Entry> entries_;             // sorted by name; its size is fixed by `start`
    base::Doorbell bell_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace firstcome::app
