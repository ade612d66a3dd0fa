// tests/adapters/redis/world.hpp - nodes on one Redis and one truth, in one thread
#pragma once

#include "adapters/memory/system_of_record.hpp"
#include "adapters/redis/conservation.hpp"
#include "adapters/redis/ledger.hpp"
#include "adapters/redis/outbox.hpp"
#include "adapters/redis/rebuild.hpp"
#include "tests/adapters/redis/connecting.hpp"
#include "tests/support/ledgers.hpp"
#include "tests/support/manual.hpp"
#include "tests/support/orders.hpp"
#include "tests/support/servers.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::redis {

/// The Redis that tests share which do not harm it.
inline test::RedisServer& shared_redis() {
    static test::RedisServer server;
    return server;
}

/// What a test may want otherwise.
struct NodeOptions {
    LedgerOptions ledger{.server_time = false, .handshake = {.ask_again = {}}};
    int number = 1;
    std::chrono::seconds key_ttl{86'400};
};

/// One node: its connections, its view of the truth, its ledger, and what it does as leader.
class Node {
public:
    Node(
        const NodeOptions& options,
        const test::RedisServer& server,
        memory::Truth& truth,
        const base::Clock& clock,
        Ledger::Rest rest = [](std::chrono::milliseconds) {}
    )
        : url_(server.url()),
          entropy_(static_cast<std::uint64_t>(options.number)),
          record({.node = options.number}, truth, clock),
          ledger(heeding(options.ledger), lane, record, clock, entropy_, std::move(rest)),
          outbox(options.ledger.shard, relay, record, clock, {.newest = &newest_epoch}),
          rebuild(
              {.shard = options.ledger.shard,
               .key_ttl = options.key_ttl,
               .server_time = options.ledger.server_time,
               .newest = &newest_epoch},
              leader,
              record,
              clock
          ),
          conservation(
              {.shard = options.ledger.shard}, leader, record, leader_ledger, rebuild, clock
          ),
          truth_(truth),
          leader_ledger(
              options.ledger, leader, record, clock, entropy_, [](std::chrono::milliseconds) {}
          ) {}

    /// The relay's work: all that waits becomes true. False: it could not be done.
    bool drain() {
        while (true) {
            const auto events = outbox.pull(100, {});
            if (!events) return false;
            if (events->empty()) return true;
            if (truth_.deliver(*events).failure) return false;
            if (!outbox.acknowledge(*events)) return false;
        }
    }

private:
    LedgerOptions heeding(LedgerOptions options) {
        options.handshake.newest = &newest_epoch;
        return options;
    }

    std::string url_;
    test::SeededEntropy entropy_;

public:
    NewestEpoch newest_epoch;
    Connection lane{options_for(url_), real_clock};
    Connection relay{options_for(url_), real_clock};
    Connection leader{options_for(url_), real_clock};
    memory::SystemOfRecord record;
    Ledger ledger;
    Outbox outbox;
    Rebuild rebuild;
    Conservation conservation;

private:
    memory::Truth& truth_;

public:
    Ledger leader_ledger;  // for the leader's stock changes
};

/// A Redis, forgotten by everybody before, and a truth; nodes as the test needs them.
class Shop {
public:
    explicit Shop(test::RedisServer& server = shared_redis()) : server_(server) {
        server_.cli({"FLUSHALL"});
    }

    std::unique_ptr<Node> node(
        NodeOptions options = {}, Ledger::Rest rest = [](auto) {}
    ) {
        return std::make_unique<Node>(options, server_, truth, clock, std::move(rest));
    }

    domain::OrderRequest request(const test::Wish& wish) const { return test::request(wish, hash); }

    /// `accepted 3`, `sold_out`, or the fault's name.
    std::string place(ports::OrderLedger& ledger, const test::Wish& wish) const {
        const std::vector<domain::OrderRequest> batch{request(wish)};
        std::vector<domain::Outcome> outcomes(1);
        const auto placed = ledger.place(batch, outcomes);
        return placed ? test::spoken(outcomes.front()) : std::string(name(placed.error()));
    }

    /// `ok`, the rejection's or the fault's name.
    static std::string change(ports::OrderLedger& ledger, const domain::StockChange& change) {
        const auto changed = ledger.change_stock(change);
        if (!changed) return std::string(name(changed.error()));
        const auto* const no = std::get_if<domain::StockRejected>(&*changed);
        return no == nullptr ? "ok" : std::string(name(no->why));
    }

    std::string cli(const std::vector<std::string>& words) const { return server_.cli(words); }

    test::RedisServer& server() { return server_; }

    test::ManualClock clock;
    memory::Truth truth;
    test::SeededEntropy entropy;
    base::KeyedHash hash{base::KeyedHash::new_secret(entropy)};

private:
    test::RedisServer& server_;
};

}  // namespace firstcome::redis
