// tests/domain/sale_test.cpp - the rules of one item, as tables, and that its figures always add up
#include "domain/sale.hpp"

#include "tests/support/manual.hpp"
#include "tests/support/orders.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace firstcome::domain {
namespace {

using namespace std::chrono_literals;
using test::item;
using test::stock_set;

constexpr std::uint64_t ann = 11;
constexpr std::uint64_t bob = 22;
const WallTime opening{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22}};
const WallTime closing = opening + 1h;

OrderRequest wants(std::int32_t quantity) {
    OrderRequest request;
    request.user = test::user("ann");
    request.item = item("shoe");
    request.quantity = quantity;
    return request;
}

StockChange change(StockOperation operation, Units quantity) {
    StockChange made = stock_set("shoe", quantity);
    made.operation = operation;
    return made;
}

void make(Sale& sale, const StockChange& wanted) {
    const auto after = sale.changed(wanted, opening);
    ASSERT_TRUE(std::holds_alternative<StockFigures>(after));
    sale.adopt(std::get<StockFigures>(after));
    if (sale.needs_bought_counts()) sale.start_counting_bought();
}

Sale sale_of(Units units) {
    Sale sale{item("shoe")};
    make(sale, stock_set("shoe", units));
    return sale;
}

Grant buy(Sale& sale, std::uint64_t who, std::int32_t quantity, WallTime now = opening) {
    const auto said = sale.decide(wants(quantity), who, now);
    EXPECT_TRUE(std::holds_alternative<Grant>(said));
    const Grant grant = std::get<Grant>(said);
    sale.apply(wants(quantity), who, grant);
    return grant;
}

std::string spoken(const std::variant<Grant, Rejected>& said) {
    if (const auto* yes = std::get_if<Grant>(&said))
        return "granted " + std::to_string(yes->sequence);
    return std::string(name(std::get<Rejected>(said).why));
}

TEST(Sale, AnswersWithTheFirstRuleThatSpeaks) {
    struct Row {
        Units left;
        Units bought;  // by who asks, of a limit of 3
        std::int32_t asked;
        WallTime at;
        std::string_view expect;
        std::string_view why;
    };

    const Row rows[] = {
        {5, 0, 1, opening, "granted 2", "nothing speaks against it"},
        {1, 0, 1, opening, "granted 2", "the last unit"},
        {0, 0, 1, opening, "sold_out", "nothing left"},
        {1, 0, 2, opening, "insufficient_stock", "some, but not enough"},
        {5, 0, 3, opening, "granted 2", "just the limit"},
        {5, 0, 4, opening, "user_limit_exceeded", "one above the limit"},
        {5, 2, 1, opening, "granted 2", "the limit is reached by this one"},
        {5, 2, 2, opening, "user_limit_exceeded", "with what the user has"},
        {0, 3, 1, opening, "user_limit_exceeded", "the limit speaks before the stock"},
        {1, 2, 2, opening, "user_limit_exceeded", "also where the stock is short"},
        {0, 3, 9, opening - 1ms, "sale_not_open", "the window speaks before all"},
        {0, 3, 9, closing, "sale_closed", "at its end too"},
        {5, 0, 1, opening - 1ms, "sale_not_open", "a millisecond early"},
        {5, 0, 1, closing - 1ms, "granted 2", "the last millisecond"},
        {5, 0, 1, closing, "sale_closed", "the end is outside"},
        {5, 0, 1, closing + 24h, "sale_closed", "a day late"},
    };
    for (const Row& row : rows) {
        StockFigures figures;
        figures.item = item("shoe");
        figures.initial = row.left + 3;
        figures.remaining = row.left;
        figures.sold = 3;
        figures.orders = 1;
        figures.window = {.opens_at = opening, .closes_at = closing};
        figures.per_user_limit = 3;
        Sale sale{item("shoe")};
        sale.adopt(figures);
        sale.start_counting_bought();
        if (row.bought > 0) sale.count_bought(ann, row.bought);
        sale.count_bought(bob, 3 - row.bought);
        EXPECT_EQ(spoken(sale.decide(wants(row.asked), ann, row.at)), row.expect) << row.why;
        EXPECT_EQ(sale.figures().remaining, row.left) << "deciding changes nothing";
    }
}

TEST(Sale, ARefusalSaysWhatTheBuyerNeedsToKnow) {
    Sale sale = sale_of(5);
    auto limited = stock_set("shoe", 5);
    limited.per_user_limit = 3;
    limited.opens_at = opening;
    limited.closes_at = closing;
    make(sale, limited);
    buy(sale, ann, 2);

    const auto refusal = [&](std::int32_t quantity, std::uint64_t who, WallTime now) {
        return std::get<Rejected>(sale.decide(wants(quantity), who, now));
    };
    const Rejected above = refusal(2, ann, opening);
    EXPECT_EQ(above.limit, 3);
    EXPECT_EQ(above.used, 2);
    buy(sale, bob, 2);
    EXPECT_EQ(refusal(3, 33, opening).remaining, 1);
    const Rejected early = refusal(1, bob, opening - 5s);
    EXPECT_EQ(early.at, opening);
    EXPECT_EQ(early.decided_at, opening - 5s);
    EXPECT_EQ(refusal(1, bob, closing + 5s).at, closing);
}

TEST(Sale, OpenEndsAreOpen) {
    const WallTime long_ago{-1'000'000h};
    const WallTime far_off{1'000'000h};
    Sale sale = sale_of(10);
    EXPECT_EQ(spoken(sale.decide(wants(1), ann, long_ago)), "granted 1");
    EXPECT_EQ(spoken(sale.decide(wants(1), ann, far_off)), "granted 1");
    auto opens = stock_set("shoe", 10);
    opens.opens_at = opening;
    make(sale, opens);
    EXPECT_EQ(spoken(sale.decide(wants(1), ann, far_off)), "granted 1");
    auto closes = stock_set("shoe", 10);
    closes.opens_at = std::optional<WallTime>{};
    closes.closes_at = closing;
    make(sale, closes);
    EXPECT_EQ(spoken(sale.decide(wants(1), ann, long_ago)), "granted 1");
    EXPECT_EQ(spoken(sale.decide(wants(1), ann, closing)), "sale_closed");
}

TEST(Sale, StockIsSetAddedAndRemoved) {
    struct Row {
        StockOperation operation;
        Units quantity;
        std::string_view expect;
        Units initial;
        Units restocked;
        Units remaining;
        std::string_view why;
    };

    using enum StockOperation;
    const Row rows[] = {
        {set, 20, "", 20, 0, 16, "sets the total anew"},
        {set, 4, "", 4, 0, 0, "down to what is sold"},
        {set, 3, "below_committed", 10, 5, 11, "one below it"},
        {set, 0, "below_committed", 10, 5, 11, "nothing cannot be"},
        {add, 7, "", 10, 12, 18, "more"},
        {add, 0, "", 10, 5, 11, "adding nothing is allowed"},
        {remove, 7, "", 10, -2, 4, "also below what was added"},
        {remove, 11, "", 10, -6, 0, "all that is left"},
        {remove, 12, "below_committed", 10, 5, 11, "one more than that"},
        {set, stock_units_max, "", stock_units_max, 0, stock_units_max - 4, "the most"},
        {add, stock_units_max, "total_too_large", 10, 5, 11, "above the most"},
        {add, stock_units_max - 15, "", 10, stock_units_max - 10, stock_units_max - 4, "the most"},
    };
    for (const Row& row : rows) {
        Sale sale = sale_of(10);
        make(sale, change(add, 5));
        buy(sale, ann, 4);
        const auto after = sale.changed(change(row.operation, row.quantity), opening + 1s);
        std::string_view said;
        if (const auto* no = std::get_if<StockRejected>(&after)) {
            said = name(no->why);
            EXPECT_EQ(no->total, 15) << row.why;
            if (no->why == StockRejection::below_committed) {
                EXPECT_EQ(no->committed, 4) << row.why;
            }
        } else {
            sale.adopt(std::get<StockFigures>(after));
            EXPECT_EQ(sale.figures().as_of, opening + 1s);
        }
        EXPECT_EQ(said, row.expect) << row.why;
        EXPECT_EQ(sale.figures().initial, row.initial) << row.why;
        EXPECT_EQ(sale.figures().restocked, row.restocked) << row.why;
        EXPECT_EQ(sale.figures().remaining, row.remaining) << row.why;
        EXPECT_EQ(sale.figures().sold, 4) << row.why;
        EXPECT_EQ(sale.figures().drift(), 0) << row.why;
    }
}

TEST(Sale, WindowAndLimitChangeOnlyWhereAValueIsGiven) {
    Sale sale = sale_of(10);
    auto all = stock_set("shoe", 10);
    all.opens_at = opening;
    all.closes_at = closing;
    all.per_user_limit = 2;
    make(sale, all);
    make(sale, change(StockOperation::add, 1));
    EXPECT_EQ(sale.figures().window, (SaleWindow{opening, closing}));
    EXPECT_EQ(sale.figures().per_user_limit, 2);

    auto clears = change(StockOperation::add, 0);
    clears.closes_at = std::optional<WallTime>{};
    clears.per_user_limit = std::optional<Units>{};
    make(sale, clears);
    EXPECT_EQ(sale.figures().window, (SaleWindow{opening, std::nullopt}));
    EXPECT_FALSE(sale.figures().per_user_limit.has_value());

    auto against_what_stands = change(StockOperation::add, 5);
    against_what_stands.closes_at = opening;
    const auto no = sale.changed(against_what_stands, opening);
    EXPECT_EQ(std::get<StockRejected>(no).why, StockRejection::window_invalid);
    EXPECT_EQ(sale.figures().total(), 11) << "nothing moved";
    against_what_stands.closes_at = opening + 1ms;
    EXPECT_TRUE(std::holds_alternative<StockFigures>(sale.changed(against_what_stands, opening)));
}

TEST(Sale, AReleasedOrderFreesItsUnitsAndItsShareOfTheLimit) {
    Sale sale{item("shoe")};
    auto limited = stock_set("shoe", 3);
    limited.per_user_limit = 3;
    make(sale, limited);
    buy(sale, ann, 3);
    EXPECT_EQ(sale.bought(ann), 3);
    EXPECT_EQ(spoken(sale.decide(wants(1), bob, opening)), "sold_out");
    sale.release(ann, 3);
    EXPECT_EQ(sale.bought(ann), 0);
    EXPECT_EQ(sale.figures().remaining, 3);
    EXPECT_EQ(spoken(sale.decide(wants(3), ann, opening)), "granted 2") << "the sequence goes on";
}

TEST(Sale, ALateLimitCountsWhatUsersAlreadyHold) {
    Sale sale = sale_of(10);
    buy(sale, ann, 2);
    EXPECT_FALSE(sale.needs_bought_counts());
    auto limited = change(StockOperation::add, 0);
    limited.per_user_limit = 2;
    sale.adopt(std::get<StockFigures>(sale.changed(limited, opening)));
    EXPECT_TRUE(sale.needs_bought_counts());
    sale.start_counting_bought();
    sale.count_bought(ann, 2);
    EXPECT_FALSE(sale.needs_bought_counts());
    EXPECT_EQ(spoken(sale.decide(wants(1), ann, opening)), "user_limit_exceeded");
    EXPECT_EQ(spoken(sale.decide(wants(2), bob, opening)), "granted 2");
    limited.per_user_limit = std::optional<Units>{};
    make(sale, limited);
    EXPECT_EQ(spoken(sale.decide(wants(8), ann, opening)), "granted 2");
}

TEST(Sale, ReplayTakesOrdersInLineAndNothingElse) {
    Sale sale = sale_of(5);
    EXPECT_TRUE(sale.replay(ann, 2, 1));
    EXPECT_TRUE(sale.replay(ann, 0, 2)) << "released: its place in line stays";
    EXPECT_FALSE(sale.replay(ann, 1, 4)) << "a gap";
    EXPECT_FALSE(sale.replay(ann, 1, 2)) << "a double";
    EXPECT_FALSE(sale.replay(ann, 4, 3)) << "more than there is";
    EXPECT_FALSE(sale.replay(ann, -1, 3)) << "less than nothing";
    EXPECT_EQ(sale.figures().orders, 2U);
    EXPECT_EQ(sale.figures().remaining, 3);
    EXPECT_TRUE(sale.replay(bob, 3, 3));
    EXPECT_EQ(sale.figures().drift(), 0);
}

// The same arithmetic written down a second time, as simply as can be.
struct Ledger {
    Units total = 0;
    Units sold = 0;
    Sequence orders = 0;
    std::optional<Units> limit;
    std::map<std::uint64_t, Units> bought;
};

TEST(Sale, AddsUpAfterThousandsOfRandomSteps) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        test::SeededEntropy random{seed};
        Sale sale = sale_of(50);
        Ledger ledger{.total = 50, .sold = 0, .orders = 0, .limit = {}, .bought = {}};
        std::vector<std::pair<std::uint64_t, Units>> live;
        for (int step = 0; step < 2'000; ++step) {
            const std::uint64_t who = random.next() % 5 + 1;
            const auto quantity = static_cast<std::int32_t>(random.next() % 4 + 1);
            switch (random.next() % 8) {
                case 0: {
                    auto wanted = change(
                        static_cast<StockOperation>(random.next() % 3),
                        static_cast<Units>(random.next() % 60)
                    );
                    if (random.next() % 3 == 0) {
                        wanted.per_user_limit = random.next() % 2 == 0
                                                    ? std::optional<Units>{random.next() % 12}
                                                    : std::nullopt;
                    }
                    const Units total = wanted.operation == StockOperation::set ? wanted.quantity
                                        : wanted.operation == StockOperation::add
                                            ? ledger.total + wanted.quantity
                                            : ledger.total - wanted.quantity;
                    const auto after = sale.changed(wanted, opening);
                    ASSERT_EQ(std::holds_alternative<StockFigures>(after), total >= ledger.sold);
                    if (total < ledger.sold) break;
                    ledger.total = total;
                    if (wanted.per_user_limit) ledger.limit = *wanted.per_user_limit;
                    sale.adopt(std::get<StockFigures>(after));
                    if (!sale.needs_bought_counts()) break;
                    sale.start_counting_bought();
                    for (const auto& [user, units] : live) sale.count_bought(user, units);
                    break;
                }
                case 1: {
                    if (live.empty()) break;
                    const std::size_t at = random.next() % live.size();
                    const auto [user, units] = live[at];
                    live.erase(live.begin() + static_cast<std::ptrdiff_t>(at));
                    sale.release(user, units);
                    ledger.sold -= units;
                    ledger.bought[user] -= units;
                    break;
                }
                default: {
                    const bool fits = ledger.total - ledger.sold >= quantity;
                    const bool within =
                        !ledger.limit || ledger.bought[who] + quantity <= *ledger.limit;
                    const auto said = sale.decide(wants(quantity), who, opening);
                    ASSERT_EQ(std::holds_alternative<Grant>(said), fits && within);
                    if (!std::holds_alternative<Grant>(said)) break;
                    const Grant grant = std::get<Grant>(said);
                    ASSERT_EQ(grant.sequence, ledger.orders + 1);
                    sale.apply(wants(quantity), who, grant);
                    if (random.next() % 3 == 0) {
                        sale.revert(quantity, who, grant);
                        break;
                    }
                    ++ledger.orders;
                    ledger.sold += quantity;
                    ledger.bought[who] += quantity;
                    live.emplace_back(who, quantity);
                }
            }
            const StockFigures& figures = sale.figures();
            ASSERT_EQ(figures.drift(), 0);
            ASSERT_EQ(figures.total(), ledger.total);
            ASSERT_EQ(figures.sold, ledger.sold);
            ASSERT_EQ(figures.remaining, ledger.total - ledger.sold);
            ASSERT_EQ(figures.orders, ledger.orders);
            if (ledger.limit) {
                ASSERT_EQ(sale.bought(who), ledger.bought[who]);
            }
        }
    }
}

}  // namespace
}  // namespace firstcome::domain
