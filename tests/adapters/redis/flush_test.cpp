// tests/adapters/redis/flush_test.cpp - Redis forgets everything while three nodes sell
#include "tests/adapters/redis/world.hpp"

#include <array>
#include <atomic>
#include <poll.h>
#include <set>
#include <thread>

namespace firstcome::redis {
namespace {

constexpr domain::Units stock = 2000;
constexpr int nodes = 3;
constexpr int flushes = 4;

/// What one buyer after another was told by one node.
class Buyers {
public:
    Buyers(int number, Shop& shop) : number_(number), shop_(shop) {
        options_.number = number;
        options_.ledger.level = domain::Durability::database;
        options_.ledger.commit_wait = std::chrono::seconds{5};
        options_.ledger.server_time = true;
        node_ = std::make_unique<Node>(
            options_,
            shop.server(),
            shop.truth,
            real_clock,
            [](std::chrono::milliseconds) { ::poll(nullptr, 0, 1); }
        );
    }

    /// Until `stop`, and then until a batch is answered: each order is asked for, with its key,
    /// until there is an answer.
    void run(const std::atomic<bool>& stop) {
        for (int batch = 0; !stop; ++batch) {
            std::vector<domain::OrderRequest> requests;
            for (int i = 0; i < 4; ++i) {
                const std::string key = std::to_string(batch) + ":" + std::to_string(i);
                const std::string user = "user" + std::to_string(number_);
                requests.push_back(shop_.request({.user = user, .key = key}));
            }
            std::vector<domain::Outcome> outcomes(requests.size());
            while (!node_->ledger.place(requests, outcomes)) ::poll(nullptr, 0, 2);
            for (const domain::Outcome& outcome : outcomes) note(outcome);
        }
    }

    std::vector<domain::Order> accepted;

private:
    void note(const domain::Outcome& outcome) {
        if (const auto* yes = std::get_if<domain::Accepted>(&outcome)) {
            accepted.push_back(yes->order);
        }
    }

    int number_;
    Shop& shop_;
    NodeOptions options_;
    std::unique_ptr<Node> node_;
};

/// Rebuilds and relays until nothing is left to do.
void lead(Node& leader, const std::atomic<bool>& stop) {
    while (!stop) {
        if (!leader.rebuild.keep() || !leader.drain()) ::poll(nullptr, 0, 2);
        ::poll(nullptr, 0, 1);
    }
}

TEST(RedisFlush, NoOrderOfLevelDatabaseIsLostAndNoUnitIsSoldTwice) {
    Shop shop;
    NodeOptions options;
    options.number = nodes + 1;
    options.ledger.server_time = true;
    Node leader{options, shop.server(), shop.truth, real_clock};
    ASSERT_TRUE(leader.rebuild.keep());
    ASSERT_EQ(Shop::change(leader.leader_ledger, test::stock_set("shoe", stock)), "ok");

    std::array<std::unique_ptr<Buyers>, nodes> buyers;
    for (int i = 0; i < nodes; ++i) {
        buyers[static_cast<std::size_t>(i)] = std::make_unique<Buyers>(i + 1, shop);
    }
    std::atomic<bool> stop_buying = false;
    std::atomic<bool> stop_leading = false;
    std::vector<std::thread> threads;
    for (auto& each : buyers) threads.emplace_back([&] { each->run(stop_buying); });
    std::thread leads{[&] { lead(leader, stop_leading); }};
    for (int i = 0; i < flushes; ++i) {
        ::poll(nullptr, 0, 150);
        shop.cli({"FLUSHALL"});
    }
    ::poll(nullptr, 0, 150);
    stop_buying = true;
    for (std::thread& each : threads) each.join();
    stop_leading = true;
    leads.join();
    ASSERT_TRUE(leader.rebuild.keep());
    ASSERT_TRUE(leader.drain());

    std::set<domain::Sequence> sequences;
    for (const auto& each : buyers) {
        EXPECT_FALSE(each->accepted.empty());
        for (const domain::Order& order : each->accepted) {
            EXPECT_TRUE(shop.truth.find(order.id).value().has_value()) << order.sequence;
            EXPECT_TRUE(sequences.insert(order.sequence).second) << order.sequence;
        }
    }
    const auto item = leader.record.item(test::item("shoe")).value().value();
    EXPECT_LE(item.figures.sold, stock);
    EXPECT_GE(item.figures.sold, static_cast<domain::Units>(sequences.size()));
    EXPECT_EQ(static_cast<domain::Sequence>(item.figures.sold), item.figures.orders) << "no gaps";
    EXPECT_GT(leader.record.epoch(0)->number, 1U);
    EXPECT_TRUE(leader.conservation.check().value().drifts.empty());
}

}  // namespace
}  // namespace firstcome::redis
