// src/adapters/sqlite/ledger.hpp - decided in memory, durable in one transaction
// stop 7 of 7 on the path of one order
#pragma once

#include "adapters/sqlite/checkpointer.hpp"
#include "adapters/sqlite/data_dir.hpp"
#include "adapters/sqlite/database.hpp"
#include "adapters/sqlite/order_rows.hpp"
#include "adapters/sqlite/user_chains.hpp"
#include "base/entropy.hpp"
#include "base/hash.hpp"
#include "base/time.hpp"
#include "domain/shard.hpp"
#include "ports/order_ledger.hpp"
#include "ports/stock_board.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace firstcome::sqlite {

/// One lane's ledger on one file.
///
/// Errors   unavailable, storage_full: the transaction was rolled back and memory reverted with it.
///          A failed sync or a damaged page calls `fatal`: what the disk holds is unknown then, and
///          only a new start, which reads it again, may go on.
/// Thread   as the port says
/// Source   ADR-0004, ADR-0005; SQLite "WAL mode", "synchronous=FULL"
class Ledger final : public ports::OrderLedger {
public:
    struct Options {
        std::size_t lane = 0;
        std::chrono::seconds key_ttl{86'400};
        /// Whether orders of a trace are stored with it, for the events made of them.
        bool keeps_traces = false;
        int checkpoint_pages = 4'096;  ///< pages of 4 KiB in the log before it is moved: 16 MiB
        /// Must not return.
        std::function<void(std::string_view)> fatal;
        /// Told now and then while the file is read at start.
        std::function<void(std::uint64_t orders)> progress = [](std::uint64_t) {};
    };

    /// Reads the file, asserts the invariants and is ready to sell.
    ///
    /// Errors   a sentence for the operator: what is wrong, where, and what to do
    /// Thread   main; `dir`, `clock`, `entropy`, `hash` outlive the ledger
    [[nodiscard]] static std::expected<std::unique_ptr<Ledger>, std::string> open(
        Options options,
        const DataDir& dir,
        const base::Clock& clock,
        base::Entropy& entropy,
        const base::KeyedHash& hash
    );

    [[nodiscard]] std::expected<void, ports::LedgerError> place(
        std::span<const domain::OrderRequest> batch, std::span<domain::Outcome> outcomes
    ) override;
    [[nodiscard]] std::expected<ports::StockResult, ports::LedgerError> change_stock(
        const domain::StockChange& change
    ) override;
    [[nodiscard]] std::expected<ports::Release, ports::LedgerError> release(
        domain::OrderId order, std::string_view reason
    ) override;
    [[nodiscard]] std::optional<domain::StockFigures> stock(const domain::ItemId& item
    ) const override;
    [[nodiscard]] std::vector<domain::StockFigures> all_stock() const override;

    /// Where each user's chain of orders begins; for the store.
    [[nodiscard]] const UserChains& chains() const { return chains_; }

    /// Moves the log into the main file and leaves it empty: the last thing before a clean end.
    ///
    /// Errors   why it could not; nothing is lost, the next start reads the log
    /// Thread   main, when the lane is closed and nobody reads
    [[nodiscard]] std::expected<void, std::string> rest();

    [[nodiscard]] std::uint64_t orders_recovered() const { return orders_recovered_; }

private:
    struct Statements {
        Statement insert_order;
        Statement insert_traced_order;
        Statement find_order;
        Statement orders_of_item;
        Statement find_release;
        Statement insert_release;
        Statement upsert_item;
        Statement insert_movement;
        Statement find_movement;
        Statement begin;
        Statement commit;
        Statement rollback;
    };

    /// An order of the batch at hand that was granted, and what it will be stored with.
    struct NewOrder {
        domain::Granted granted;
        std::optional<domain::KeyHash> key;
        std::uint64_t previous = 0;
        domain::TraceContext trace;
    };

    Ledger(
        Options options,
        Database database,
        Statements statements,
        const base::Clock& clock,
        base::Entropy& entropy,
        const base::KeyedHash& hash,
        std::uint64_t last_id
    );

    [[nodiscard]] std::expected<void, std::string> recover();
    [[nodiscard]] std::expected<void, std::string> recover_items();
    [[nodiscard]] std::expected<void, std::string> recover_orders();
    [[nodiscard]] std::expected<void, std::string> compare_with_movements();
    [[nodiscard]] std::expected<std::unordered_set<std::uint64_t>, std::string> released_orders();

    [[nodiscard]] std::expected<domain::Outcome, SqliteError> replay(
        const domain::OrderRequest& request, std::uint64_t order_high
    );
    [[nodiscard]] std::expected<std::optional<domain::Order>, SqliteError> load(
        std::uint64_t order_high
    );
    void chain_new_orders();
    [[nodiscard]] std::expected<void, SqliteError> write_new_orders();
    [[nodiscard]] std::expected<void, SqliteError> write_change(
        const domain::StockChange& change,
        const std::string& payload,
        const domain::StockFigures& before,
        const domain::StockFigures& after
    );
    void forget_number(const domain::ItemId& item);
    [[nodiscard]] std::expected<void, SqliteError> count_bought(domain::Sale& sale);
    [[nodiscard]] std::expected<std::optional<ports::StockResult>, SqliteError> repeated(
        const domain::StockChange& change, const std::string& payload
    );

    [[nodiscard]] std::expected<void, SqliteError> in_transaction(
        const std::function<std::expected<void, SqliteError>()>& work
    );
    [[nodiscard]] ports::LedgerError give_up(const SqliteError& error, std::string_view what);
    void publish(const domain::Sale& sale);
    void finish_checkpoint();

    Options options_;
    Database database_;
    Statements statements_;
    const base::Clock& clock_;     // outlives
    const base::KeyedHash& hash_;  // outlives
    domain::OrderIdMaker ids_;
    domain::Shard shard_;
    std::unordered_map<domain::ItemId, std::int64_t> item_numbers_;
    std::unordered_map<std::int64_t, domain::ItemId> item_ids_;
    ports::StockBoard board_;
    UserChains chains_;
    std::uint64_t orders_recovered_ = 0;
    std::vector<NewOrder> new_orders_;  // of the batch at hand, in order of arrival
    std::vector<UserChains::Link> links_;
    std::vector<std::uint32_t> by_user_;
    bool failing_ = false;  // the last write failed: said once, not per batch
    std::unique_ptr<Checkpointer> checkpointer_;
};

}  // namespace firstcome::sqlite
