// tests/cli/bench_witness_test.cpp - broken promises are seen, kept ones are not
#include "cli/bench_witness.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace firstcome::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view id = "01936f5e-8c1a-7b3e-9d2f-4a5b6c7d8e9f";

OrderAnswer accepted(std::uint64_t sequence, bool replayed = false, std::uint64_t body = 1) {
    return {
        .status = 202,
        .order_id = id,
        .sequence = sequence,
        .replayed = replayed,
        .body_hash = body};
}

OrderAnswer refused(int status, std::string_view code) {
    return {.status = status, .code = code};
}

Witness::Timing at(std::chrono::nanoseconds sent, std::chrono::nanoseconds received) {
    return {.sent = base::MonotonicTime{sent}, .received = base::MonotonicTime{received}};
}

TEST(SequenceSet, CountsGapsAndRefusesTheSecond) {
    SequenceSet line;
    for (const std::uint64_t sequence : {5U, 3U, 4U, 900'000U}) EXPECT_TRUE(line.insert(sequence));
    EXPECT_FALSE(line.insert(4));
    EXPECT_FALSE(line.insert(0));
    EXPECT_EQ(line.lowest(), 3U);
    EXPECT_EQ(line.highest(), 900'000U);
    EXPECT_EQ(line.gaps(), 900'000U - 5U - 1U);
}

TEST(SequenceSet, MergingFindsWhatBothHave) {
    SequenceSet one;
    SequenceSet other;
    for (std::uint64_t sequence = 1; sequence <= 600'000; sequence += 2) (void)one.insert(sequence);
    for (std::uint64_t sequence = 2; sequence <= 600'000; sequence += 2)
        (void)other.insert(sequence);
    (void)other.insert(77);
    EXPECT_EQ(one.merge(other), 1U);
    EXPECT_EQ(one.count(), 600'000U);
    EXPECT_EQ(one.gaps(), 0U);
}

TEST(Witness, HoldsEachKindAgainstWhatItMustBeAnswered) {
    struct Row {
        Kind kind;
        bool settled;
        OrderAnswer answer;
        bool possible;
        const char* why;
    };

    const Row rows[] = {
        {Kind::fresh, false, accepted(1), true, "sold"},
        {Kind::fresh, false, refused(409, "sold_out"), true, "nothing left"},
        {Kind::fresh, false, refused(503, "please_wait"), true, "a busy server may say wait"},
        {Kind::fresh, false, refused(500, "internal"), false, "a bug is a bug"},
        {Kind::fresh, false, refused(400, "validation_failed"), false, "it was valid"},
        {Kind::fresh, false, refused(422, "idempotency_key_reused"), false, "its key is fresh"},
        {Kind::repeated, true, accepted(1, true), true, "the first answer again"},
        {Kind::repeated, true, accepted(2), false, "a second order"},
        {Kind::repeated, true, refused(409, "sold_out"), false, "it was accepted before"},
        {Kind::repeated, false, refused(409, "sold_out"), true, "a refusal is not remembered"},
        {Kind::reused, false, refused(422, "idempotency_key_reused"), true, "never executed"},
        {Kind::reused, false, accepted(1), false, "executed"},
        {Kind::over_limit, false, refused(409, "user_limit_exceeded"), true, "enough"},
        {Kind::over_limit, false, accepted(1), false, "too many for one user"},
        {Kind::unknown_item, false, refused(404, "item_not_found"), true, "unknown"},
        {Kind::unknown_item, false, refused(409, "sold_out"), false, "it never existed"},
    };
    for (const Row& row : rows) {
        Witness witness{10, 1};
        witness.answered(
            {.kind = row.kind, .settled = row.settled}, row.answer, at(0s, 1s), nullptr
        );
        EXPECT_EQ(witness.broken.count, row.possible ? 0U : 1U) << row.why;
    }
}

TEST(Witness, CountsAnOrderOnceHoweverOftenItIsRepeated) {
    RecentOrders recent;
    recent.sent(0);
    Witness witness{10, 1};
    // The repeat overtook the first: it is the one without the mark.
    witness.answered({.kind = Kind::repeated}, accepted(1), at(0s, 1s), &recent);
    witness.answered({}, accepted(1, true), at(0s, 1s), &recent);
    witness.answered(
        {.kind = Kind::repeated, .settled = true}, accepted(1, true), at(0s, 1s), &recent
    );
    EXPECT_EQ(witness.live.accepted, 1U);
    EXPECT_EQ(witness.replays_compared, 2U);
    EXPECT_EQ(witness.broken.count, 0U);
}

TEST(Witness, SeesARepeatThatDiffersOrOrdersAgain) {
    RecentOrders recent;
    recent.sent(0);
    recent.sent(1);
    Witness witness{10, 1};
    witness.answered({.serial = 0}, accepted(1), at(0s, 1s), &recent);
    witness.answered(
        {.serial = 0, .kind = Kind::repeated}, accepted(1, true, 2), at(0s, 1s), &recent
    );
    EXPECT_EQ(witness.broken.count, 1U) << "other bytes";
    witness.answered({.serial = 1}, accepted(2), at(0s, 1s), &recent);
    witness.answered({.serial = 1, .kind = Kind::repeated}, accepted(2), at(0s, 1s), &recent);
    EXPECT_EQ(witness.broken.count, 2U) << "accepted twice without the mark";
}

TEST(Witness, SeesOneSequenceGivenTwiceAcrossThreads) {
    Witness one{10, 1};
    Witness other{10, 1};
    one.answered({.serial = 0}, accepted(1), at(0s, 1s), nullptr);
    other.answered({.serial = 1}, accepted(1), at(0s, 1s), nullptr);
    one.merge(other);
    EXPECT_EQ(one.broken.count, 1U);
    EXPECT_EQ(one.live.accepted, 2U);
}

TEST(Witness, RemembersWhenSoldOutWasFirstReadAndTheLastWinnerAsked) {
    Witness witness{10, 1};
    witness.answered({.serial = 0}, accepted(1), at(1s, 4s), nullptr);
    witness.answered({.serial = 1}, refused(409, "sold_out"), at(2s, 3s), nullptr);
    witness.answered({.serial = 2, .attempts = 1}, accepted(2), at(5s, 6s), nullptr);
    EXPECT_EQ(witness.first_sold_out, base::MonotonicTime{3s});
    EXPECT_EQ(witness.last_accepted_sent, base::MonotonicTime{1s}) << "a retry came earlier";
}

TEST(Witness, KeepsASampleOrEverythingAndTheFirstInLine) {
    Witness sample{5, 1};
    Witness all{Witness::keep_all, 1};
    Witness none{0, 1};
    for (std::uint64_t order = 100; order > 0; --order) {
        sample.answered({.serial = order}, accepted(order), at(0s, 1s), nullptr);
        all.answered({.serial = order}, accepted(order), at(0s, 1s), nullptr);
        none.answered({.serial = order}, accepted(order), at(0s, 1s), nullptr);
    }
    EXPECT_EQ(sample.accepted_orders.size(), 5U);
    EXPECT_EQ(all.accepted_orders.size(), 100U);
    EXPECT_TRUE(none.accepted_orders.empty());
    ASSERT_EQ(sample.first_orders.size(), Witness::first_orders_max);
    EXPECT_EQ(sample.first_orders.front().sequence, 1U);
    EXPECT_EQ(sample.first_orders.back().sequence, Witness::first_orders_max);
}

}  // namespace
}  // namespace firstcome::cli
