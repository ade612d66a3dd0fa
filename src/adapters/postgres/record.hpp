// src/adapters/postgres/record.hpp - the truth: orders, items and epochs in PostgreSQL
#pragma once

#include "adapters/postgres/connection.hpp"
#include "base/entropy.hpp"
#include "ports/system_of_record.hpp"

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace firstcome::postgres {

struct RecordOptions {
    ConnectionOptions connection;
    /// A leader that says nothing for so long has lost the lead. Longer than all it does between
    /// two calls of `lead`; one whose machine or network died loses it within seconds anyway.
    std::chrono::milliseconds lead_timeout{20'000};
    /// Rows read by one call where all must be read. Far below `call_timeout` on a starved server
    /// too: a rebuild whose call takes too long begins anew.
    std::int64_t orders_a_piece = 20'000;
    bool events = false;  ///< failed orders write `order.failed` into the outbox table
};

/// Two sessions: one for the leads, ended by the server when it says nothing for `lead_timeout`,
/// one for all else.
///
/// Thread   one at a time per object
/// Source   ADR-0010
class Record final : public ports::SystemOfRecord {
public:
    template <typename T>
    using Result = ports::SystemOfRecord::Result<T>;  // not the namespace's own

    /// `clock` and `entropy` outlive it; the tables are there (migrations.hpp).
    Record(const RecordOptions& options, const base::Clock& clock, base::Entropy& entropy);

    /// As Connection::end_by, of all but the lead.
    void end_by(std::optional<base::MonotonicTime> end) { connection_.end_by(end); }

    [[nodiscard]] Result<bool> lead(unsigned shard) override;
    [[nodiscard]] Result<std::string> secret() override;
    [[nodiscard]] Result<ports::Epoch> epoch(unsigned shard) override;
    [[nodiscard]] Result<ports::Epoch> advance_epoch(
        unsigned shard, const ports::Epoch& from, std::string_view run_id
    ) override;
    [[nodiscard]] Result<std::vector<ports::RecordedItem>> items(unsigned shard) override;
    [[nodiscard]] Result<std::optional<ports::RecordedItem>> item(const domain::ItemId& item
    ) override;
    [[nodiscard]] Result<std::set<domain::OrderId>> stored(std::span<const domain::OrderId> orders
    ) override;
    [[nodiscard]] Result<void> declare(std::span<const domain::OrderId> orders) override;
    [[nodiscard]] Result<Bought> bought(
        std::span<const domain::ItemId> items, const std::function<bool()>& go_on
    ) override;
    [[nodiscard]] Result<void> keys(
        unsigned shard,
        domain::WallTime since,
        const std::function<bool(std::span<const ports::RecordedKey>)>& take
    ) override;
    [[nodiscard]] Result<std::variant<ports::Changed, domain::StockRejected>> change_stock(
        unsigned shard, const domain::StockChange& change, const Live& live, const Lower& lower
    ) override;
    [[nodiscard]] Result<std::optional<ports::Failed>> fail(
        domain::OrderId order, std::string_view reason
    ) override;
    [[nodiscard]] Result<void> given_back(domain::OrderId order, const ports::Epoch& epoch)
        override;
    [[nodiscard]] Result<std::vector<domain::Order>> not_given_back(unsigned shard, std::size_t max)
        override;
    [[nodiscard]] Result<void> note_repair(const domain::ItemId& item, std::string_view what)
        override;

private:
    using Rejected = domain::StockRejected;

    [[nodiscard]] Result<std::vector<ports::RecordedItem>> read_items(
        std::string_view where, const Param& param
    );
    [[nodiscard]] Result<std::optional<std::variant<ports::Changed, Rejected>>> repeated(
        const domain::StockChange& change, const std::string& payload
    );
    [[nodiscard]] Result<std::variant<ports::Changed, Rejected>> change_locked(
        unsigned shard, const domain::StockChange& change, const Live& live, const Lower& lower
    );
    void keep_leads();
    [[nodiscard]] Result<domain::OrderId> piece_end(std::string_view sql, domain::OrderId from);
    [[nodiscard]] Result<std::vector<ports::RecordedKey>> read_keys(
        std::string_view sql, std::initializer_list<Param> params
    );
    [[nodiscard]] Result<void> add_bought(
        Bought& bought, std::string_view sql, std::initializer_list<Param> params
    );
    [[nodiscard]] Result<void> stay_in(unsigned shard, const ports::Epoch& epoch);
    [[nodiscard]] Result<void> write_item(unsigned shard, const ports::RecordedItem& item);
    [[nodiscard]] Result<std::uint64_t> write_movement(
        const domain::StockChange& change,
        const domain::StockFigures& before,
        const domain::StockFigures& after
    );
    [[nodiscard]] Result<std::optional<ports::Failed>> fail_stored(
        domain::OrderId order, std::string_view reason
    );
    [[nodiscard]] Result<std::optional<ports::Failed>> fail_parked(
        domain::OrderId order, std::string_view reason
    );
    [[nodiscard]] Result<void> note_failed(const domain::Order& order, std::string_view reason);

    RecordOptions options_;
    const base::Clock& clock_;  // outlives
    base::Entropy& entropy_;    // outlives
    Connection connection_;
    Connection leads_;
    std::set<unsigned> held_;  // in the session below
    std::uint64_t held_session_ = 0;
};

/// What a failure means to whoever asks the system of record; says it in the log where it would
/// else be lost.
[[nodiscard]] ports::RecordError record_error(
    const SqlFailure& failure, std::string_view attempted
);

/// The id of the event `type` about an order: the order's own, with the lowest bits told apart, so
/// that a repeated delivery carries the same id.
[[nodiscard]] domain::OrderId event_id_of(const domain::OrderId& order, domain::EventType type);

}  // namespace firstcome::postgres
