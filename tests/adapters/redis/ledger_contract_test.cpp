// tests/adapters/redis/ledger_contract_test.cpp - Redis with a truth behind it passes the contract
#include "tests/contract/ledger_contract.hpp"

#include "tests/adapters/redis/world.hpp"

namespace firstcome::redis {
namespace {

/// What a wiring adds to a ledger: a leader that opens the shard, here when it is found closed.
class LedLedger final : public test::LedgerDecorator {
public:
    explicit LedLedger(Node& node) : LedgerDecorator(node.ledger), node_(node) {}

    std::expected<void, ports::LedgerError> place(
        std::span<const domain::OrderRequest> batch, std::span<domain::Outcome> outcomes
    ) override {
        const auto placed = inner_->place(batch, outcomes);
        if (placed || placed.error() != ports::LedgerError::rebuilding) return placed;
        EXPECT_TRUE(node_.rebuild.keep());
        return inner_->place(batch, outcomes);
    }

private:
    Node& node_;
};

/// The truth, asked after all that waited has arrived there.
class DrainedStore final : public ports::OrderStore {
public:
    DrainedStore(Node& node, memory::Truth& truth) : node_(node), truth_(truth) {}

    std::expected<std::optional<domain::Order>, ports::StoreError> find(domain::OrderId id
    ) override {
        EXPECT_TRUE(node_.drain());
        return truth_.find(id);
    }

    std::expected<ports::OrderPage, ports::StoreError> list(const ports::OrderQuery& query
    ) override {
        EXPECT_TRUE(node_.drain());
        return truth_.list(query);
    }

private:
    Node& node_;
    memory::Truth& truth_;
};

template <domain::Durability level, bool forgets>
class RedisWorld {
public:
    RedisWorld() { open(); }

    ports::OrderLedger& ledger() { return *led_; }

    ports::OrderStore& store() { return *store_; }

    test::ManualClock& clock() { return shop_.clock; }

    const base::KeyedHash& hash() { return shop_.hash; }

    /// Another node; where Redis forgets, it has only the truth to begin with.
    bool restart() {
        EXPECT_TRUE(node_->drain());
        if (forgets) shop_.cli({"FLUSHALL"});
        open();
        EXPECT_TRUE(node_->ledger.refresh().has_value());
        return true;
    }

private:
    void open() {
        NodeOptions options;
        options.ledger.level = level;
        node_ = shop_.node(options, [this](auto) { (void)node_->drain(); });
        EXPECT_TRUE(node_->rebuild.keep());
        led_ = std::make_unique<LedLedger>(*node_);
        store_ = std::make_unique<DrainedStore>(*node_, shop_.truth);
    }

    Shop shop_;
    std::unique_ptr<Node> node_;
    std::unique_ptr<LedLedger> led_;
    std::unique_ptr<DrainedStore> store_;
};

using Remembers = RedisWorld<domain::Durability::redis, false>;
using Forgets = RedisWorld<domain::Durability::redis, true>;
using WaitsForTheTruth = RedisWorld<domain::Durability::database, true>;

}  // namespace
}  // namespace firstcome::redis

namespace firstcome::test {
namespace {

using RedisWorlds = ::testing::Types<redis::Remembers, redis::Forgets, redis::WaitsForTheTruth>;
INSTANTIATE_TYPED_TEST_SUITE_P(Redis, LedgerContract, RedisWorlds);

}  // namespace
}  // namespace firstcome::test
