// tests/adapters/guarded/ledger_test.cpp - what a breaker does to a ledger, and what it leaves
// alone
#include "adapters/guarded/ledger.hpp"

#include "adapters/guarded/store.hpp"
#include "tests/adapters/guarded/world.hpp"
#include "tests/contract/ledger_contract.hpp"

#include <vector>

namespace firstcome::test {
namespace {

using ports::LedgerError;
using resilience::BreakerState;

/// A closed breaker changes nothing: the guarded ledger and store pass the whole contract.
class GuardedWorld {
public:
    ports::OrderLedger& ledger() { return ledger_; }

    ports::OrderStore& store() { return store_; }

    ManualClock& clock() { return clock_; }

    const base::KeyedHash& hash() { return hash_; }

    bool restart() { return false; }

private:
    ManualClock clock_;
    SeededEntropy entropy_;
    base::KeyedHash hash_{base::KeyedHash::new_secret(entropy_)};
    memory::Ledger memory_{{}, clock_, entropy_, hash_};
    resilience::CircuitBreaker breaker_{"redis", {}, some_chance()};
    guarded::Ledger ledger_{memory_, breaker_, clock_};
    guarded::Store store_{std::make_unique<BorrowedStore>(memory_), breaker_, clock_};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Guarded, LedgerContract, GuardedWorld);

class GuardedLedger : public testing::Test {
protected:
    GuardedLedger() { EXPECT_TRUE(guarded_.change_stock(stock_set("shoe", 1000)).has_value()); }

    std::optional<LedgerError> place() {
        const domain::OrderRequest order = request({}, hash_);
        const auto placed = guarded_.place({&order, 1}, {&outcome_, 1});
        if (!placed) return placed.error();
        return std::nullopt;
    }

    void place_many(int times) {
        for (int at = 0; at < times; ++at) static_cast<void>(place());
    }

    BreakerState state() { return breaker_.figures(clock_.monotonic()).state; }

    ManualClock clock_;
    SeededEntropy entropy_;
    base::KeyedHash hash_{base::KeyedHash::new_secret(entropy_)};
    memory::Ledger memory_{{}, clock_, entropy_, hash_};
    TroubledLedger inner_{memory_, clock_};
    resilience::CircuitBreaker breaker_{"redis", {}, some_chance()};
    guarded::Ledger guarded_{inner_, breaker_, clock_};
    domain::Outcome outcome_;
};

TEST_F(GuardedLedger, OpensOnFaultsAndNotOnAnswers) {
    const struct {
        LedgerError error;
        bool opens;
        const char* why;
    } rows[] = {
        {LedgerError::unavailable, true, "not to be reached"},
        {LedgerError::outcome_unknown, true, "did not answer in time"},
        {LedgerError::storage_full, false, "answers; the operator makes room"},
        {LedgerError::rebuilding, false, "answers; an open breaker would only make it longer"},
        {LedgerError::backlog, false, "answers; what is behind it is slow"},
        {LedgerError::deadline_passed, false, "was not asked"},
        {LedgerError::circuit_open, false, "another breaker, further in, was not asked either"},
    };

    for (const auto& row : rows) {
        breaker_.reset(clock_.monotonic());
        inner_.error = row.error;
        for (int at = 0; at < 20; ++at) EXPECT_EQ(place(), row.error) << row.why;
        EXPECT_EQ(state() == BreakerState::open, row.opens) << row.why;
    }
}

TEST_F(GuardedLedger, ABusinessNoIsASuccess) {
    for (int at = 0; at < 30; ++at) {
        const domain::OrderRequest order = request({.item = "ghost"}, hash_);
        EXPECT_TRUE(guarded_.place({&order, 1}, {&outcome_, 1}).has_value());
        EXPECT_EQ(spoken(outcome_), "item_not_found");
    }
    EXPECT_EQ(state(), BreakerState::closed);
    EXPECT_EQ(breaker_.figures(clock_.monotonic()).successful.count, 30U);
}

TEST_F(GuardedLedger, OpensWhenBatchesTakeTooLong) {
    inner_.takes = 101ms;
    place_many(20);
    EXPECT_EQ(state(), BreakerState::open) << "all were accepted, none in time";
    EXPECT_EQ(place(), LedgerError::circuit_open);
}

TEST_F(GuardedLedger, LearnsOnlyWhatTheDecisionTook) {
    inner_.decided = [this] { guarded_.decided(); };
    inner_.takes = 99ms;
    inner_.waits_then = 5s;
    place_many(10);
    inner_.fails_then = LedgerError::outcome_unknown;
    for (int at = 0; at < 20; ++at) EXPECT_EQ(place(), LedgerError::outcome_unknown);
    EXPECT_EQ(state(), BreakerState::closed) << "PostgreSQL was slow, and Redis was not";
    EXPECT_EQ(breaker_.figures(clock_.monotonic()).successful.count, 30U);
    inner_.takes = 101ms;
    place_many(100);
    EXPECT_EQ(state(), BreakerState::open);
}

TEST_F(GuardedLedger, OpensWithTheFirstFullBatchThatWaitsInVain) {
    place_many(100);
    inner_.error = LedgerError::outcome_unknown;
    inner_.takes = 500ms;
    const std::vector<domain::OrderRequest> batch(64, request({}, hash_));
    std::vector<domain::Outcome> outcomes(batch.size());
    EXPECT_EQ(guarded_.place(batch, outcomes).error(), LedgerError::outcome_unknown);
    EXPECT_EQ(state(), BreakerState::open) << "64 buyers were let down, not one";
}

TEST_F(GuardedLedger, OpensWithASmallBatchThatManyWaitBehind) {
    std::size_t in_line = 0;
    guarded::Ledger guarded{inner_, breaker_, clock_, nullptr, [&] { return in_line; }};
    place_many(100);
    const std::vector<domain::OrderRequest> batch(4, request({}, hash_));
    std::vector<domain::Outcome> outcomes(batch.size());
    inner_.error = LedgerError::outcome_unknown;
    const auto fails_after = [&](std::chrono::milliseconds time, std::size_t waiting) {
        inner_.takes = time;
        in_line = waiting;
        EXPECT_EQ(guarded.place(batch, outcomes).error(), LedgerError::outcome_unknown);
        return state();
    };
    EXPECT_EQ(fails_after(500ms, 10), BreakerState::closed) << "14 of 100";
    EXPECT_EQ(fails_after(1ms, 60), BreakerState::closed) << "nobody waited for it";
    EXPECT_EQ(fails_after(500ms, 60), BreakerState::open);
}

TEST_F(GuardedLedger, RefusesAtOnceWhileOpenAndDecidesNothing) {
    inner_.error = LedgerError::unavailable;
    place_many(20);
    inner_.error = std::nullopt;
    const auto before = guarded_.stock(item("shoe"));
    const int asked = inner_.asked;
    EXPECT_EQ(place(), LedgerError::circuit_open);
    EXPECT_EQ(guarded_.change_stock(stock_set("shoe", 5)).error(), LedgerError::circuit_open);
    EXPECT_EQ(guarded_.release({}, "test").error(), LedgerError::circuit_open);
    EXPECT_EQ(inner_.asked, asked) << "not even asked";
    EXPECT_EQ(guarded_.stock(item("shoe"))->remaining, before->remaining) << "still shown";
    EXPECT_EQ(guarded_.all_stock().size(), 1U);
    EXPECT_EQ(breaker_.figures(clock_.monotonic()).not_permitted_total, 3U);
}

TEST_F(GuardedLedger, SellsAgainByItselfWhenTheLedgerIsBack) {
    inner_.error = LedgerError::unavailable;
    place_many(20);
    EXPECT_EQ(place(), LedgerError::circuit_open);
    inner_.error = std::nullopt;
    clock_.pass(2400ms);
    for (int at = 0; at < 10; ++at) EXPECT_EQ(place(), std::nullopt);
    EXPECT_EQ(state(), BreakerState::closed);
    EXPECT_EQ(guarded_.stock(item("shoe"))->sold, 10);
}

TEST_F(GuardedLedger, StockChangesAndReleasesTellNothingAboutTheLedger) {
    inner_.error = LedgerError::unavailable;
    inner_.takes = 500ms;
    for (int at = 0; at < 30; ++at) {
        EXPECT_EQ(guarded_.change_stock(stock_set("shoe", 5)).error(), LedgerError::unavailable);
        EXPECT_EQ(guarded_.release({}, "test").error(), LedgerError::unavailable);
    }
    EXPECT_EQ(state(), BreakerState::closed) << "they may have waited for PostgreSQL";
    breaker_.turn_to(BreakerState::half_open, clock_.monotonic());
    inner_.takes = 0ms;
    for (int at = 0; at < 30; ++at) {
        EXPECT_EQ(guarded_.release({}, "test").error(), LedgerError::unavailable);
    }
    EXPECT_EQ(state(), BreakerState::half_open) << "and each gave its permit back";
}

TEST_F(GuardedLedger, ChangesAskTheBreakerOfWhatStandsBehindAndOrdersDoNot) {
    resilience::CircuitBreaker postgres{"postgres", {}, some_chance()};
    guarded::Ledger guarded{inner_, breaker_, clock_, &postgres};
    EXPECT_TRUE(guarded.change_stock(stock_set("shoe", 5)).has_value());
    postgres.turn_to(BreakerState::open, clock_.monotonic());
    const int asked = inner_.asked;
    EXPECT_EQ(guarded.change_stock(stock_set("shoe", 6)).error(), LedgerError::circuit_open);
    EXPECT_EQ(guarded.release({}, "test").error(), LedgerError::circuit_open);
    EXPECT_EQ(inner_.asked, asked) << "the lane does not wait for a server that is away";
    const domain::OrderRequest order = request({}, hash_);
    EXPECT_TRUE(guarded.place({&order, 1}, {&outcome_, 1}).has_value());

    postgres.turn_to(BreakerState::half_open, clock_.monotonic());
    for (int at = 0; at < 30; ++at) {
        EXPECT_TRUE(guarded.change_stock(stock_set("shoe", 6)).has_value());
    }
    EXPECT_EQ(postgres.figures(clock_.monotonic()).state, BreakerState::half_open)
        << "each gave its permit back";
}

}  // namespace
}  // namespace firstcome::test
