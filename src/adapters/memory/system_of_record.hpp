// src/adapters/memory/system_of_record.hpp - the reference truth: what it must know, and no disk
#pragma once

#include "base/time.hpp"
#include "ports/event_sink.hpp"
#include "ports/order_store.hpp"
#include "ports/system_of_record.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::memory {

/// What all connections to one truth share: orders, items, epochs. A node of a test has a
/// SystemOfRecord of its own over the same Truth.
class Truth final : public ports::EventSink, public ports::OrderStore {
public:
    /// An accepted order becomes a stored one; the same again changes nothing.
    [[nodiscard]] std::string_view consumer() const override { return "orders"; }

    [[nodiscard]] ports::Delivery deliver(std::span<const domain::Event> events) override;

    /// The order is among the dead letters: its units stay taken.
    void park(const domain::Event& event);

    [[nodiscard]] std::expected<std::optional<domain::Order>, ports::StoreError> find(
        domain::OrderId id
    ) override;
    [[nodiscard]] std::expected<ports::OrderPage, ports::StoreError> list(
        const ports::OrderQuery& query
    ) override;

    /// From now on nobody is answered; nothing: again as ever.
    void fail_with(std::optional<ports::RecordError> error) { error_ = error; }

    /// Called once, when the sale is lowered for a stock change that is not true yet.
    void when_lowered(std::move_only_function<void()> meanwhile) {
        lowered_ = std::move(meanwhile);
    }

    /// Called once, when units are back in the sale and it is not noted yet.
    void when_given_back(std::move_only_function<void()> meanwhile) {
        given_back_ = std::move(meanwhile);
    }

    /// What was noted as made good, each as `item: what`.
    [[nodiscard]] const std::vector<std::string>& repairs() const { return repairs_; }

    /// Who has the shard's lead, a node's own number; 0: nobody.
    void lead(unsigned shard, int node) { leads_[shard] = node; }

private:
    friend class SystemOfRecord;

    struct Stored {
        domain::Order order;
        std::optional<domain::KeyHash> key;
        bool parked = false;
        bool given_back = false;
    };

    struct ChangeRecord {
        domain::StockChange change;
        domain::StockFigures figures;
    };

    void take(const domain::Event& event, bool parked);
    [[nodiscard]] ports::RecordedItem& item_of(const domain::ItemId& item, unsigned shard);

    std::recursive_mutex mutex_;  // a change calls back, and what it calls may come back here
    std::map<domain::OrderId, Stored> orders_;
    std::map<domain::ItemId, ports::RecordedItem> items_;
    std::map<domain::ItemId, unsigned> shard_of_;
    std::map<unsigned, ports::Epoch> epochs_;
    std::map<unsigned, int> leads_;
    std::map<domain::KeyHash, ChangeRecord> changes_;
    std::uint64_t movements_ = 0;
    std::move_only_function<void()> lowered_;
    std::move_only_function<void()> given_back_;
    std::vector<std::string> repairs_;
    std::optional<ports::RecordError> error_;
};

/// Errors   what `Truth::fail_with` was told; not_ours and corrupt as the port says
/// Thread   any: everything is done under the truth's lock
class SystemOfRecord final : public ports::SystemOfRecord {
public:
    struct Options {
        int node = 1;  ///< as Truth::lead takes it
    };

    SystemOfRecord(const Options& options, Truth& truth, const base::Clock& clock);

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
    [[nodiscard]] std::optional<std::variant<ports::Changed, domain::StockRejected>> repeated(
        const domain::StockChange& change
    );

    Options options_;
    Truth& truth_;              // outlives
    const base::Clock& clock_;  // outlives
};

}  // namespace firstcome::memory
