// tests/cli/bench_audit_test.cpp - the audit finds what a server got wrong, and nothing else
#include "cli/bench_audit.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

namespace firstcome::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view id = "01936f5e-8c1a-7b3e-9d2f-4a5b6c7d8e9f";

struct Shop {
    BenchOptions options{.item = "tickets"};
    Naming naming{.run_tag = "00c0ffee"};
    Witness seen{10, 1};
    std::optional<StockView> before;
    StockView after{.initial = 10, .remaining = 7, .sold = 3};

    explicit Shop(std::uint64_t first_sequence = 1) {
        for (std::uint64_t order = 0; order < 3; ++order) accept(first_sequence + order, 1s);
    }

    void accept(std::uint64_t sequence, std::chrono::nanoseconds sent) {
        const OrderAnswer answer{.status = 202, .order_id = id, .sequence = sequence};
        seen.answered(
            {.serial = sequence},
            answer,
            {base::MonotonicTime{sent}, base::MonotonicTime{sent}},
            nullptr
        );
    }

    void refuse(std::chrono::nanoseconds read) {
        const OrderAnswer answer{.status = 409, .code = "sold_out"};
        seen.answered({}, answer, {base::MonotonicTime{read}, base::MonotonicTime{read}}, nullptr);
    }

    [[nodiscard]] bool passes() const {
        const auto lines = audit_figures({options, naming, seen, before, after});
        return std::all_of(lines.begin(), lines.end(), [](const AuditLine& line) {
            return line.ok;
        });
    }
};

TEST(BenchAudit, PassesAServerThatKeptItsPromises) {
    Shop shop;
    EXPECT_TRUE(shop.passes());
}

TEST(BenchAudit, FindsUnitsThatDoNotAddUp) {
    Shop shop;
    shop.after.remaining = 8;
    EXPECT_FALSE(shop.passes());
}

TEST(BenchAudit, FindsASaleNobodyWasToldOf) {
    Shop shop;
    shop.after = {.initial = 10, .remaining = 6, .sold = 4};
    EXPECT_FALSE(shop.passes());
    shop.seen.lost(1);
    EXPECT_TRUE(shop.passes()) << "the unanswered one may have been it";
}

TEST(BenchAudit, FindsAnAcceptedOrderThatWasNotSold) {
    Shop shop;
    shop.after = {.initial = 10, .remaining = 8, .sold = 2};
    EXPECT_FALSE(shop.passes());
}

TEST(BenchAudit, CountsFromWhatWasSoldBefore) {
    Shop shop;
    shop.before = StockView{.initial = 10, .remaining = 5, .sold = 5};
    shop.after = {.initial = 10, .remaining = 2, .sold = 8};
    EXPECT_TRUE(shop.passes());
}

TEST(BenchAudit, FindsAGapInTheLine) {
    Shop shop;
    shop.accept(5, 1s);
    shop.after = {.initial = 10, .remaining = 6, .sold = 4};
    EXPECT_FALSE(shop.passes());
}

TEST(BenchAudit, FindsALineThatDoesNotBeginAtOne) {
    EXPECT_FALSE(Shop{2}.passes());
}

TEST(BenchAudit, FindsAWinnerWhoCameAfterSoldOut) {
    Shop shop;
    shop.after = {.initial = 3, .remaining = 0, .sold = 3};
    shop.refuse(2s);
    EXPECT_TRUE(shop.passes());
    shop.accept(4, 3s);
    shop.after = {.initial = 4, .remaining = 0, .sold = 4};
    EXPECT_FALSE(shop.passes());
}

TEST(BenchAudit, FindsUnitsLeftWhereSoldOutWasSaid) {
    Shop shop;
    shop.refuse(2s);
    EXPECT_FALSE(shop.passes());
}

TEST(BenchAudit, ReadsTheFiguresOfAnItem) {
    const StockView stock =
        stock_from(R"({"itemId":"initial","initial":10,"remaining":7,"restocked":-1,)"
                   R"("sold":2,"compensating":0})");
    EXPECT_EQ(stock.initial, 10);
    EXPECT_EQ(stock.remaining, 7);
    EXPECT_EQ(stock.restocked, -1);
    EXPECT_EQ(stock.committed(), 2);
}

}  // namespace
}  // namespace firstcome::cli
