// tests/wiring/bounded_ledger_test.cpp - when calls have to end, and that the end is taken back
#include "wiring/bounded_ledger.hpp"

#include "adapters/memory/ledger.hpp"
#include "tests/support/ledgers.hpp"
#include "tests/support/manual.hpp"
#include "tests/support/orders.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace firstcome::wiring {
namespace {

using namespace std::chrono_literals;

/// Notes by when calls had to end while it was at work; answers as it is told.
class Noting final : public test::LedgerDecorator {
public:
    Noting(ports::OrderLedger& inner, const std::optional<base::MonotonicTime>& end)
        : LedgerDecorator(inner), end_(end) {}

    std::expected<void, ports::LedgerError> place(
        std::span<const domain::OrderRequest> batch, std::span<domain::Outcome> outcomes
    ) override {
        seen = end_;
        return LedgerDecorator::place(batch, outcomes);
    }

    std::expected<ports::StockResult, ports::LedgerError> change_stock(
        const domain::StockChange& change
    ) override {
        seen = end_;
        if (fails) return std::unexpected(ports::LedgerError::unavailable);
        return LedgerDecorator::change_stock(change);
    }

    std::expected<ports::Release, ports::LedgerError> release(
        domain::OrderId order, std::string_view reason
    ) override {
        seen = end_;
        return LedgerDecorator::release(order, reason);
    }

    std::optional<base::MonotonicTime> seen;
    bool fails = false;

private:
    const std::optional<base::MonotonicTime>& end_;
};

class BoundedLedgerTest : public testing::Test {
protected:
    test::ManualClock clock_;
    test::SeededEntropy entropy_;
    base::KeyedHash hash_{{}};
    memory::Ledger inner_{{}, clock_, entropy_, hash_};
    std::optional<base::MonotonicTime> end_;
    Noting noting_{inner_, end_};
    BoundedLedger bounded_{
        noting_, 2500ms, clock_, [this](std::optional<base::MonotonicTime> end) { end_ = end; }};
};

TEST_F(BoundedLedgerTest, AStockChangeHasAnEndWhileItLastsAndWhatFollowsHasNone) {
    const auto began = clock_.monotonic();
    ASSERT_TRUE(bounded_.change_stock(test::stock_set("shoe", 5)).has_value());
    EXPECT_EQ(noting_.seen, began + 2500ms);
    EXPECT_EQ(end_, std::nullopt);
    EXPECT_EQ(bounded_.stock(test::item("shoe"))->remaining, 5);
}

TEST_F(BoundedLedgerTest, AlsoOneThatFails) {
    noting_.fails = true;
    EXPECT_FALSE(bounded_.change_stock(test::stock_set("shoe", 5)).has_value());
    EXPECT_TRUE(noting_.seen.has_value());
    EXPECT_EQ(end_, std::nullopt);
}

TEST_F(BoundedLedgerTest, AReleaseLikewiseAndAnOrderNever) {
    ASSERT_TRUE(bounded_.change_stock(test::stock_set("shoe", 5)).has_value());
    const std::vector batch{test::request({}, hash_)};
    std::vector<domain::Outcome> outcomes(1);
    noting_.seen = clock_.monotonic();
    ASSERT_TRUE(bounded_.place(batch, outcomes).has_value());
    EXPECT_EQ(noting_.seen, std::nullopt) << "an order waits for nothing of PostgreSQL's";
    const auto& order = std::get<domain::Accepted>(outcomes.front()).order;
    EXPECT_EQ(bounded_.release(order.id, "no").value(), ports::Release::released);
    EXPECT_EQ(noting_.seen, clock_.monotonic() + 2500ms);
    EXPECT_EQ(end_, std::nullopt);
    EXPECT_EQ(bounded_.stock(test::item("shoe"))->remaining, 5);
}

}  // namespace
}  // namespace firstcome::wiring
