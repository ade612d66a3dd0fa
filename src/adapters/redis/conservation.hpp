// src/adapters/redis/conservation.hpp - does Redis sell what the record says there is?
#pragma once

#include "adapters/redis/item_fields.hpp"
#include "adapters/redis/rebuild.hpp"
#include "adapters/redis/shard_calls.hpp"
#include "base/note.hpp"
#include "ports/order_ledger.hpp"
#include "ports/system_of_record.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace firstcome::redis {

/// How an item in Redis differs from the record and the outbox together.
struct Drift {
    domain::ItemId item;
    domain::Units units = 0;  ///< Redis would sell so many more (or fewer, below 0) than there are
    bool totals = false;      ///< what was set differs: a stock change ended between the two
    bool oversold = false;    ///< more is taken than there is, and none is left: for the operator
    bool unfit = false;       ///< more is taken than the totals allow: only a rebuild puts them
    bool lost = false;        ///< Redis has nothing of the item, or nothing that can be read
    std::string what{};       ///< for people: what differs, as `expected ..., found ...`
    bool repaired = false;    ///< by this call
    bool confirmed = false;   ///< the call before saw it too: hardly a release under way
    unsigned looks = 1;       ///< calls in a row that saw it
};

struct Conserved {
    bool compared = false;  ///< false: more waits in the outbox than is read for this
    std::vector<Drift> drifts{};
    std::size_t given_back = 0;  ///< orders whose release somebody had not finished
    std::size_t refused = 0;  ///< orders that Redis gives nothing back for: their item is damaged
};

struct ConservationOptions {
    unsigned shard = 0;
    std::size_t entries_max = 256;       ///< of the outbox, read in one look
    std::size_t releases_a_check = 100;  ///< unfinished ones taken up
    /// Names in `released`, 16 bytes each, above which the shard is rebuilt, which empties it.
    std::int64_t released_max = 100'000;
};

/// The leader's look between two batches of its relay: nobody else moves orders from the outbox to
/// the record, so both can be compared while the sale goes on.
///
/// A drift that is the same at two calls is repaired: totals by a stock change of nothing, which
/// waits for changes under way and is tried again at the next call; what is lost, and totals that
/// are too low for what is taken, by a rebuild. Units that are off take three calls, since a
/// release under way looks like them. Either leaves an entry in the audit log.
///
/// Errors   as in LedgerError; nothing was compared
/// Thread   the leader's
class Conservation {
public:
    Conservation(
        const ConservationOptions& options,
        Connection& connection,         // outlives
        ports::SystemOfRecord& record,  // outlives
        ports::OrderLedger& ledger,     // outlives; the leader's own, for stock changes
        Rebuild& rebuild,               // outlives
        const base::Clock& clock        // outlives
    );

    [[nodiscard]] std::expected<Conserved, ports::LedgerError> check();

private:
    template <typename T>
    using Result = std::expected<T, ports::LedgerError>;

    struct Taken {
        domain::Units units = 0;
        domain::Sequence sequence = 0;
    };

    using TakenByItem = std::map<domain::ItemId, Taken>;

    [[nodiscard]] Result<Conserved> forget_released(Conserved conserved);
    [[nodiscard]] Result<void> finish_releases(Conserved& conserved);
    [[nodiscard]] bool give_back_all(
        std::span<const domain::Order> orders, const Life& life, Conserved& conserved
    );
    [[nodiscard]] Result<TakenByItem> count_waiting(const Reply& entries);
    [[nodiscard]] std::optional<Drift> compare(
        const ports::RecordedItem& recorded, const Taken& waiting, const Reply* fields
    ) const;
    void confirm(std::vector<Drift>& drifts) const;
    void repair(std::vector<Drift>& drifts);
    [[nodiscard]] bool put_totals(const Drift& drift);
    void note(const Drift& drift);

    ConservationOptions options_;
    ports::SystemOfRecord& record_;  // outlives
    ports::OrderLedger& ledger_;     // outlives
    Rebuild& rebuild_;               // outlives
    const base::Clock& clock_;       // outlives
    ShardCalls calls_;
    std::vector<Drift> last_;  // of the last call
    base::Note refused_;       // what Redis says of an order it gives nothing back for
};

}  // namespace firstcome::redis
