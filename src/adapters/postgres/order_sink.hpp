// src/adapters/postgres/order_sink.hpp - makes accepted orders the truth, a batch at a time
#pragma once

#include "adapters/postgres/connection.hpp"
#include "domain/stock.hpp"
#include "ports/event_sink.hpp"
#include "ports/system_of_record.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace firstcome::postgres {

struct OrderSinkOptions {
    ConnectionOptions connection;
    unsigned shard = 0;                       ///< of the relay; not asked when `epoch` is empty
    std::chrono::seconds key_ttl{24 * 3600};  ///< an order's key may be used again then
    bool events = false;           ///< each stored order and each crossing writes outbox rows
    domain::LowStock stock_low{};  ///< whose crossing is stock.low
};

/// One transaction a batch: compares the shard's epoch, inserts the orders and adds what was really
/// inserted to their items. An order that is there already, or that was given up as a dead letter,
/// changes nothing and counts as delivered. Events of other types are none of its business:
/// delivered.
///
/// An order of an item that has no row makes one, with just the units it takes: no order is lost
/// because somebody restored an old item table.
///
/// Failures  conflict and `not_ours`: the shard is in another epoch; look again, deliver nothing.
///           A broken COMMIT is `unavailable`: the same batch again finds what it wrote. Of a
///           refused batch each order is tried by itself and rolled back, so that failures are
///           `exact` and what stands between two of them is stored together. Not exact: no order
///           is refused by itself (their item is, by all of them); split the batch.
/// Thread    one at a time
class OrderSink final : public ports::EventSink {
public:
    /// The epoch this node's ledger is in; nothing: it has none, so nothing may be stored.
    using CurrentEpoch = std::function<std::optional<ports::Epoch>()>;
    using NotOurs = std::function<void()>;

    /// Without `epoch`: for what was parked before, which is true in every epoch.
    OrderSink(OrderSinkOptions options, CurrentEpoch epoch, NotOurs not_ours);

    [[nodiscard]] std::string_view consumer() const override { return "orders"; }

    [[nodiscard]] ports::Delivery deliver(std::span<const domain::Event> events) override;

private:
    struct Batch;

    struct Refusal {
        domain::OrderId order;
        ports::DeliveryFailure failure;
    };

    [[nodiscard]] ports::Delivery deliver_all(std::span<const domain::Event> events);
    /// False: none of them is refused by itself, or PostgreSQL could not say.
    bool look_for_refused(const Batch& batch);

    /// False: the epoch is another one, and nothing was stored.
    [[nodiscard]] Result<bool> store(const Batch& batch);
    [[nodiscard]] Result<void> forget_expired_keys(const Batch& batch);

    OrderSinkOptions options_;
    CurrentEpoch epoch_;
    NotOurs not_ours_;
    std::string insert_;  // the statement
    Connection connection_;
    std::vector<Refusal> refused_;  // of the batch under way, not told yet
};

/// The port's word for what PostgreSQL said.
[[nodiscard]] ports::Cause cause_of(const SqlFailure& failure);

}  // namespace firstcome::postgres
