// src/ports/system_of_record.hpp - the port to the truth behind a ledger that may forget
#pragma once

#include "domain/event.hpp"
#include "domain/stock.hpp"
#include "ports/order_ledger.hpp"

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace firstcome::ports {

/// Which life of which server a shard's ledger is in. Whoever holds another one holds a ghost.
struct Epoch {
    std::uint64_t number = 0;  ///< 0: this shard was never opened
    std::string run_id;  ///< of the server that decides: its process and its memory's history; a
                         ///< new process and a failover have another one

    friend bool operator==(const Epoch&, const Epoch&) = default;
};

/// An item as the truth has it: what was set, and what stored orders took.
struct RecordedItem {
    domain::StockFigures figures;  ///< sold: units of stored live orders; orders: their highest
                                   ///< sequence; remaining: total - sold
    std::uint64_t movement = 0;    ///< the last stock movement: rises with each change
};

/// A key that is still remembered, with the order it was accepted with.
struct RecordedKey {
    domain::KeyHash key;
    domain::Order order;
};

enum class RecordError : std::uint8_t {
    unavailable,      // nothing was written: try again
    outcome_unknown,  // may be written: ask again, never decide anew
    not_ours,         // the epoch has moved on, or the lead is another node's: stop, look again
    corrupt,          // what is stored breaks an invariant: the operator looks
};
[[nodiscard]] std::string_view name(RecordError error);

/// What a stock change came to.
struct Changed {
    RecordedItem item;            ///< after
    StockChanged answer;          ///< replayed: as it was answered the first time
    bool limit_appeared = false;  ///< a per-user limit where there was none, with orders sold
};

/// Who decided the end of an order: PostgreSQL, once.
struct Failed {
    domain::Order order;
    bool first = false;       ///< by this call
    bool given_back = false;  ///< the units are known to be back
};

/// The orders, items and epochs of all shards, durable. Decides nothing about stock in a sale; has
/// the last word on what was.
///
/// Errors   as in RecordError
/// Thread   one at a time per object
class SystemOfRecord {
public:
    SystemOfRecord() = default;
    SystemOfRecord(const SystemOfRecord&) = delete;
    SystemOfRecord& operator=(const SystemOfRecord&) = delete;
    virtual ~SystemOfRecord() = default;

    template <typename T>
    using Result = std::expected<T, RecordError>;

    /// Takes the lead of the shard, or finds that we have it: true. Only the leader relays,
    /// rebuilds and repairs. Lost with this object's connection, also when this node stands still
    /// too long.
    [[nodiscard]] virtual Result<bool> lead(unsigned shard) = 0;

    /// The same on all nodes, made once: what ids and keys are hashed with.
    [[nodiscard]] virtual Result<std::string> secret() = 0;

    [[nodiscard]] virtual Result<Epoch> epoch(unsigned shard) = 0;

    /// Begins the next life; not_ours when the shard is not in `from` any more.
    [[nodiscard]] virtual Result<Epoch> advance_epoch(
        unsigned shard, const Epoch& from, std::string_view run_id
    ) = 0;

    /// All items of a shard.
    [[nodiscard]] virtual Result<std::vector<RecordedItem>> items(unsigned shard) = 0;
    [[nodiscard]] virtual Result<std::optional<RecordedItem>> item(const domain::ItemId& item) = 0;

    /// Of these orders, those that are stored or parked as dead letters (so that they were
    /// counted).
    [[nodiscard]] virtual Result<std::set<domain::OrderId>> stored(
        std::span<const domain::OrderId> orders
    ) = 0;

    /// The buyers of these orders were told level `redis` instead of `database`: that is what a
    /// stored or parked one is remembered with from now on. Of any other: nothing.
    [[nodiscard]] virtual Result<void> declare(std::span<const domain::OrderId> orders) = 0;

    /// Units of live orders per user, stored or parked, of each of these items. May take long:
    /// `go_on` is asked again and again, and false ends it.
    ///
    /// Errors   unavailable: also when it was ended
    using Bought = std::map<domain::ItemId, std::map<domain::UserId, domain::Units>>;
    [[nodiscard]] virtual Result<Bought> bought(
        std::span<const domain::ItemId> items, const std::function<bool()>& go_on
    ) = 0;

    /// Keys of the shard's orders accepted at or after `since`, in pieces; `take` gets each piece,
    /// in no order, and there may be empty ones. False ends it. An order that is stored meanwhile
    /// after all may come twice.
    ///
    /// Errors   unavailable: also when it was ended
    [[nodiscard]] virtual Result<void> keys(
        unsigned shard,
        domain::WallTime since,
        const std::function<bool(std::span<const RecordedKey>)>& take
    ) = 0;

    /// Makes the change, in a transaction that excludes every other change of the item.
    ///
    /// live     called inside the transaction: the figures in the sale now, for "not below what is
    ///          committed"; a caller that knows of no such item gives none
    /// lower    called inside the transaction when the total falls: takes the units out of the sale
    ///          first, so that the sale never has more than the truth, and says in which epoch;
    ///          what it refuses is returned, and nothing is written
    /// A total that rises, a window and a limit are for the caller to carry over after the return.
    /// Errors   not_ours: a rebuild since then has read the total as it was; nothing was written
    using Live = std::function<Result<std::optional<domain::StockFigures>>()>;
    using Lowered = std::variant<Epoch, domain::StockRejected>;
    using Lower = std::function<Result<Lowered>(const RecordedItem& wanted)>;
    [[nodiscard]] virtual Result<std::variant<Changed, domain::StockRejected>> change_stock(
        unsigned shard, const domain::StockChange& change, const Live& live, const Lower& lower
    ) = 0;

    /// Decides that the order has failed. Nothing: neither stored nor parked.
    [[nodiscard]] virtual Result<std::optional<Failed>> fail(
        domain::OrderId order, std::string_view reason
    ) = 0;
    /// The units of a failed order are back in the sale, as it was in `epoch`.
    ///
    /// Errors   not_ours: a rebuild since then may have read them as taken; nothing was written
    [[nodiscard]] virtual Result<void> given_back(domain::OrderId order, const Epoch& epoch) = 0;
    /// Failed orders of the shard whose units are not known to be back yet.
    [[nodiscard]] virtual Result<std::vector<domain::Order>> not_given_back(
        unsigned shard, std::size_t max
    ) = 0;

    /// Writes down, for people, that the sale of an item was made good, and what was off. What a
    /// stock change made good stands among the stock changes.
    [[nodiscard]] virtual Result<void> note_repair(
        const domain::ItemId& item, std::string_view what
    ) = 0;
};

}  // namespace firstcome::ports
