// src/adapters/sqlite/event_outbox.hpp - the log of orders, read as a line of events
#pragma once

#include "adapters/sqlite/data_dir.hpp"
#include "adapters/sqlite/event_cursor.hpp"
#include "adapters/sqlite/event_log.hpp"
#include "base/hash.hpp"
#include "base/time.hpp"
#include "domain/stock.hpp"
#include "ports/outbox.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace firstcome::sqlite {

/// Nothing is written for it on an order's path: the lanes' files are the outbox, and all it keeps
/// is how far they were read. Only what is durable is seen.
///
/// Events   each order: order_accepted, then order_confirmed, which the embedded mode reaches at
///          once. Each release: order_failed, after its order's events. An order that takes its
///          item to the threshold: stock_low, once until it was above again; to nothing:
///          stock_sold_out.
/// Order    per item as decided. A release comes before the orders accepted after it, by the wall
///          clock; one found later than that (the clock was set back) comes when it is found.
/// Ids      order_accepted has the order's; the others' differ from it by their type. A repeated
///          event has the id it had.
/// Figures  remaining and total are those of the moment the order was decided: totals are exact;
///          units that came back by a release count from its millisecond on, so a release in the
///          same millisecond as an order may be counted after it.
/// Errors   unavailable: a file cannot be read or written now; said once in the log
/// Thread   as the port says; `wake` any
class EventOutbox final : public ports::Outbox {
public:
    struct Options {
        bool from_beginning = false;  ///< at first use; else only what happens from then on
        domain::LowStock stock_low{};
        std::chrono::milliseconds look_every{20};  ///< while it waits for something
    };

    /// The first use reads all orders once (a third of a second for a million), to know what is
    /// left of each item.
    ///
    /// Errors   a sentence for the operator
    /// Thread   main; `clock` and `hash` outlive the outbox, `dir` need not
    [[nodiscard]] static std::expected<std::unique_ptr<EventOutbox>, std::string> open(
        Options options, const DataDir& dir, const base::Clock& clock, const base::KeyedHash& hash
    );

    /// Of several lanes each pull begins with another.
    [[nodiscard]] std::expected<std::vector<domain::Event>, ports::OutboxError> pull(
        std::size_t max, std::chrono::milliseconds wait
    ) override;

    [[nodiscard]] std::expected<void, ports::OutboxError> acknowledge(
        std::span<const domain::Event> events
    ) override;

    /// At least two events an order that waits; its stock events are not counted.
    [[nodiscard]] ports::OutboxDepth depth() const override;

    void wake() override;

private:
    struct Lane {
        EventLog log;
        EventPlace place;
        std::uint64_t orders_waiting = 0;
        bool idle = false;  // all there was is acknowledged
    };

    /// An event and what its acknowledgement changes.
    struct Pulled {
        domain::Event event;
        std::size_t lane = 0;
        EventPlace place;  // after it
        StockWatch watch;  // after it; of an order's events only the last one's counts
        bool ends_order = false;
        bool ends_release = false;
    };

    /// One lane's part of a pull, on its way.
    struct Reading {
        std::size_t lane = 0;
        EventPlace place;
        std::unordered_map<domain::ItemId, StockWatch> watches;
        std::size_t releases = 0;  // taken into the pull
    };

    EventOutbox(Options options, EventCursor cursor, const base::Clock& clock)
        : options_(std::move(options)), cursor_(std::move(cursor)), clock_(clock) {}

    [[nodiscard]] std::expected<void, SqliteError> add_lane(
        const std::string& file, const base::KeyedHash& hash
    );
    [[nodiscard]] std::expected<EventPlace, SqliteError> begin_lane(
        std::size_t lane, EventLog& log
    );
    [[nodiscard]] std::expected<void, SqliteError> look(std::size_t max);
    [[nodiscard]] std::expected<void, SqliteError> read(std::size_t lane, std::size_t max);
    void add_releases(Reading& reading, const domain::Order* before);
    void add_order(Reading& reading, const LoggedOrder& logged);
    StockWatch& watch(Reading& reading, const domain::ItemId& item) const;
    void rest(std::chrono::milliseconds at_most);
    void publish_depth(std::optional<domain::WallTime> last);
    [[nodiscard]] ports::OutboxError report(const SqliteError& error, std::string_view attempted);

    const Options options_;
    EventCursor cursor_;
    const base::Clock& clock_;  // outlives
    std::vector<Lane> lanes_;
    std::size_t first_lane_ = 0;
    std::vector<Pulled> pulled_;
    bool failing_ = false;  // said once
    std::atomic<std::uint64_t> pending_{0};
    std::atomic<std::int64_t> oldest_ms_{0};  // wall clock; 0: nothing is pending
    std::mutex mutex_;
    std::condition_variable woken_;
    bool awake_ = false;
};

}  // namespace firstcome::sqlite
