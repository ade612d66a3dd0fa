// src/adapters/postgres/event_outbox.hpp - the table `outbox`, read as a line of events
#pragma once

#include "adapters/postgres/connection.hpp"
#include "base/time.hpp"
#include "ports/outbox.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <expected>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

namespace firstcome::postgres {

/// Rows come from those who store and fail orders, in the same transaction, and go when they are
/// acknowledged. It always reads from the first row there is, so a row that is committed late, with
/// an early position, is not passed over.
///
/// One node reads at a time: whoever holds the advisory lock, which goes with its session. A reader
/// whose session broke or was ended asks for it again by itself.
///
/// Order    per item as stored
/// Errors   unavailable: PostgreSQL cannot be asked now; not_ours: another node reads
/// Thread   as the port says; `wake` any
class EventOutbox final : public ports::Outbox {
public:
    struct Options {
        /// Its `idle_session_timeout` is how long a reader that stands still keeps the others away;
        /// longer than the sink takes for a batch.
        ConnectionOptions connection;
        std::chrono::milliseconds look_every{100};  ///< while it waits for something
    };

    /// `clock` outlives it; the table is there (migrations.hpp).
    EventOutbox(Options options, const base::Clock& clock);

    [[nodiscard]] std::expected<std::vector<domain::Event>, ports::OutboxError> pull(
        std::size_t max, std::chrono::milliseconds wait
    ) override;

    [[nodiscard]] std::expected<void, ports::OutboxError> acknowledge(
        std::span<const domain::Event> events
    ) override;

    /// Of the table, whoever reads it. While another node does, or more waits than one pull gives,
    /// `pending` may be a little too high: positions are counted, and some were never used.
    [[nodiscard]] ports::OutboxDepth depth() const override;

    /// Ends a wait for events.
    void wake();

private:
    [[nodiscard]] std::expected<void, ports::OutboxError> lead();
    [[nodiscard]] std::expected<std::vector<domain::Event>, ports::OutboxError> look(std::size_t max
    );
    void look_from_aside();
    void rest(std::chrono::milliseconds at_most);
    void publish_depth(std::uint64_t pending, base::WallTime fallback);
    [[nodiscard]] ports::OutboxError report(const SqlFailure& failure, std::string_view attempted);

    const Options options_;
    const base::Clock& clock_;  // outlives
    Connection connection_;
    std::uint64_t led_session_ = 0;       // the session that holds the lock; 0: none
    std::vector<base::WallTime> pulled_;  // when each event occurred, of those pulled
    bool failing_ = false;                // said once
    std::atomic<std::uint64_t> pending_{0};
    std::atomic<std::int64_t> oldest_ms_{0};  // wall clock; 0: nothing is pending
    std::mutex mutex_;
    std::condition_variable woken_;
    bool awake_ = false;
};

}  // namespace firstcome::postgres
