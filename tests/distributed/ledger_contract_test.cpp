// tests/distributed/ledger_contract_test.cpp - Redis and PostgreSQL together pass the contract
#include "tests/contract/ledger_contract.hpp"

#include "adapters/postgres/store.hpp"
#include "adapters/redis/ledger.hpp"
#include "adapters/redis/outbox.hpp"
#include "adapters/redis/rebuild.hpp"
#include "tests/adapters/postgres/world.hpp"
#include "tests/support/ledgers.hpp"

#include <memory>

namespace firstcome::test {
namespace {

const base::SystemClock real_clock;

redis::ConnectionOptions redis_at(const RedisServer& server) {
    return {.url = redis::parse_url(server.url()).value()};
}

/// One node, lane and leader in one thread, over a Redis and a PostgreSQL.
class DistributedNode {
public:
    DistributedNode(const RedisServer& server, const std::string& database, ManualClock& clock)
        : lane_(redis_at(server), real_clock),
          relay_(redis_at(server), real_clock),
          leader_(redis_at(server), real_clock),
          record_({.connection = connection_to(database)}, clock, entropy_),
          sink_(
              {.connection = connection_to(database)}, [this] { return outbox_.epoch(); }, [] {}
          ),
          ledger_(
              {.server_time = false, .handshake = {.ask_again = {}}},
              lane_,
              record_,
              clock,
              entropy_,
              [this](std::chrono::milliseconds) { (void)drain(); }
          ),
          outbox_(0, relay_, record_, clock),
          rebuild_({.shard = 0, .server_time = false}, leader_, record_, clock) {}

    /// The leader's round: false when PostgreSQL or Redis would not.
    bool drain() {
        while (true) {
            const auto events = outbox_.pull(100, {});
            if (!events) return false;
            if (events->empty()) return true;
            // One by one: two orders of one expired key are refused together, and app::Relay
            // splits.
            for (const domain::Event& event : *events) {
                if (sink_.deliver({&event, 1}).failure) return false;
            }
            if (!outbox_.acknowledge(*events)) return false;
        }
    }

    bool keep() { return rebuild_.keep(); }

    redis::Ledger& ledger() { return ledger_; }

private:
    SeededEntropy entropy_;
    redis::Connection lane_;
    redis::Connection relay_;
    redis::Connection leader_;
    postgres::Record record_;
    postgres::OrderSink sink_;
    redis::Ledger ledger_;
    redis::Outbox outbox_;
    redis::Rebuild rebuild_;
};

/// Opens the shard where it is found closed, as the leader's thread does.
class OpenedLedger final : public LedgerDecorator {
public:
    explicit OpenedLedger(DistributedNode& node) : LedgerDecorator(node.ledger()), node_(node) {}

    std::expected<void, ports::LedgerError> place(
        std::span<const domain::OrderRequest> batch, std::span<domain::Outcome> outcomes
    ) override {
        const auto placed = inner_->place(batch, outcomes);
        if (placed || placed.error() != ports::LedgerError::rebuilding) return placed;
        EXPECT_TRUE(node_.keep());
        return inner_->place(batch, outcomes);
    }

private:
    DistributedNode& node_;
};

class DistributedWorld {
public:
    DistributedWorld() {
        server().cli({"FLUSHALL"});
        open();
    }

    ports::OrderLedger& ledger() { return *opened_; }

    ports::OrderStore& store() {
        EXPECT_TRUE(node_->drain());
        return store_;
    }

    ManualClock& clock() { return clock_; }

    const base::KeyedHash& hash() { return hash_; }

    /// Another node, and a Redis that knows nothing any more.
    bool restart() {
        EXPECT_TRUE(node_->drain());
        server().cli({"FLUSHALL"});
        open();
        EXPECT_TRUE(node_->ledger().refresh().has_value());
        return true;
    }

private:
    static RedisServer& server() {
        static RedisServer shared;
        return shared;
    }

    void open() {
        node_ = std::make_unique<DistributedNode>(server(), database_, clock_);
        EXPECT_TRUE(node_->keep());
        opened_ = std::make_unique<OpenedLedger>(*node_);
    }

    std::string database_ = migrated_database();
    ManualClock clock_;
    SeededEntropy entropy_;
    base::KeyedHash hash_{base::KeyedHash::new_secret(entropy_)};
    std::unique_ptr<DistributedNode> node_;
    std::unique_ptr<OpenedLedger> opened_;
    postgres::Store store_{{.connection = connection_to(database_), .sessions = 1}};
};

INSTANTIATE_TYPED_TEST_SUITE_P(RedisAndPostgres, LedgerContract, DistributedWorld);

}  // namespace
}  // namespace firstcome::test
