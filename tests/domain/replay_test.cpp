// tests/domain/replay_test.cpp - the first answer again, or what differs
#include "domain/replay.hpp"

#include "tests/support/orders.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace firstcome::domain {
namespace {

TEST(Replay, GivesTheFirstAnswerOrSaysWhatDiffers) {
    Order first;
    first.user = test::user("ann");
    first.item = test::item("shoe");
    first.quantity = 2;
    first.sequence = 9;

    struct Row {
        std::string_view item;
        std::int32_t quantity;
        bool item_differs;
        bool quantity_differs;
    };

    const Row rows[] = {
        {"shoe", 2, false, false},
        {"hat", 2, true, false},
        {"shoe", 3, false, true},
        {"hat", 3, true, true},
    };
    for (const Row& row : rows) {
        OrderRequest request;
        request.user = first.user;
        request.item = test::item(row.item);
        request.quantity = row.quantity;
        const Outcome said = replay(request, first);
        if (!row.item_differs && !row.quantity_differs) {
            EXPECT_EQ(test::spoken(said), "replayed 9");
            continue;
        }
        const auto& no = std::get<Rejected>(said);
        EXPECT_EQ(no.why, Rejection::idempotency_key_reused);
        EXPECT_EQ(no.item_differs, row.item_differs);
        EXPECT_EQ(no.quantity_differs, row.quantity_differs);
    }
}

TEST(SamePayload, CountsWhatIsChangedButNotWhoAsksOrWhy) {
    StockChange change = test::stock_set("shoe", 5);
    change.opens_at = WallTime{};
    const auto with = [&](const std::function<void(StockChange&)>& alter) {
        StockChange other = change;
        alter(other);
        return same_payload(change, other);
    };
    EXPECT_TRUE(with([](StockChange& c) { c.reason = "typo"; }));
    EXPECT_TRUE(with([](StockChange& c) { c.who = "bob"; }));
    EXPECT_TRUE(with([](StockChange& c) { c.trace_id = "1"; }));
    EXPECT_FALSE(with([](StockChange& c) { c.item = test::item("hat"); }));
    EXPECT_FALSE(with([](StockChange& c) { c.operation = StockOperation::add; }));
    EXPECT_FALSE(with([](StockChange& c) { c.quantity = 6; }));
    EXPECT_FALSE(with([](StockChange& c) { c.opens_at = std::nullopt; }));
    EXPECT_FALSE(with([](StockChange& c) { c.opens_at = std::optional<WallTime>{}; }));
    EXPECT_FALSE(with([](StockChange& c) { c.closes_at = WallTime{}; }));
    EXPECT_FALSE(with([](StockChange& c) { c.per_user_limit = 1; }));
}

}  // namespace
}  // namespace firstcome::domain
