// tests/app/world.hpp - a lane over the memory ledger, with all that stands around it
#pragma once

#include "adapters/memory/ledger.hpp"
#include "app/order_lane.hpp"
#include "tests/support/ledgers.hpp"
#include "tests/support/manual.hpp"
#include "tests/support/orders.hpp"

#include <gtest/gtest.h>

#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::test {

/// Keeps every answer in the order it came.
class KeepingSink final : public app::ReplySink {
public:
    void deliver(std::span<app::Answer> answers) override {
        const std::lock_guard lock{mutex_};
        ++deliveries_;
        for (app::Answer& answer : answers) {
            said_.emplace_back(
                answer.ticket,
                answer.reply ? spoken(*answer.reply) : std::string(name(answer.reply.error()))
            );
        }
    }

    std::vector<std::pair<std::uint64_t, std::string>> said() const {
        const std::lock_guard lock{mutex_};
        return said_;
    }

    int deliveries() const {
        const std::lock_guard lock{mutex_};
        return deliveries_;
    }

private:
    mutable std::mutex mutex_;
    int deliveries_ = 0;
    std::vector<std::pair<std::uint64_t, std::string>> said_;
};

/// What was reported, with the outcomes copied; written by the lane, read after its end.
class KeepingObserver final : public ports::Observer {
public:
    struct Kept {
        unsigned shard = 0;
        std::size_t size = 0;
        std::size_t outcomes = 0;
        std::expected<void, ports::LedgerError> result;
        std::chrono::nanoseconds queue_wait_oldest{};
    };

    void batch_placed(unsigned shard, const ports::BatchReport& report) override {
        kept.push_back(
            {shard, report.size, report.outcomes.size(), report.result, report.queue_wait_oldest}
        );
    }

    std::vector<Kept> kept;
};

/// Members stand in order of life: the lane ends before what it uses.
struct LaneWorld {
    explicit LaneWorld(app::LaneOptions options = {}) : lane{options, recording, clock, observer} {
        const auto set = memory.change_stock(stock_set("shoe", 1'000'000));
        EXPECT_TRUE(set.has_value());
    }

    app::Placement placement(const Wish& wish, std::uint64_t ticket, KeepingSink& to) {
        return {
            .request = request(wish, hash),
            .sink = &to,
            .ticket = ticket,
            .arrived = clock.monotonic()};
    }

    bool submit(const Wish& wish, std::uint64_t ticket) { return submit(wish, ticket, sink); }

    bool submit(const Wish& wish, std::uint64_t ticket, KeepingSink& to) {
        return lane.submit(placement(wish, ticket, to));
    }

    /// Starts the lane and keeps it busy until `gate` is opened.
    void start_held(Gate& gate) {
        ASSERT_TRUE(lane.run_on_lane([&gate](ports::OrderLedger&) { gate.hold(); }));
        lane.start();
        gate.wait_until_held();
    }

    ManualClock clock;
    SeededEntropy entropy;
    base::KeyedHash hash{base::KeyedHash::new_secret(entropy)};
    memory::Ledger memory{{}, clock, entropy, hash};
    RecordingLedger recording{memory};
    KeepingObserver observer;
    KeepingSink sink;
    app::OrderLane lane;
};

}  // namespace firstcome::test
