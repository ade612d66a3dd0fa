// tests/adapters/sqlite/event_outbox_test.cpp - the log as an outbox: contract, releases, stock
#include "adapters/sqlite/event_outbox.hpp"

#include "tests/adapters/sqlite/world.hpp"
#include "tests/contract/outbox_contract.hpp"
#include "tests/support/file_size_limit.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

namespace firstcome::test {
namespace {

using domain::Event;
using domain::EventType;
using sqlite::EventOutbox;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SqliteOutboxWorld {
public:
    SqliteOutboxWorld() {
        open({.from_beginning = true});
        set_stock("shoe", 1'000'000);
    }

    EventOutbox& outbox() { return *outbox_; }

    ManualClock& clock() { return embedded.clock(); }

    std::vector<domain::Order> accept(int count) {
        std::vector<domain::Order> orders;
        while (count-- > 0) orders.push_back(order({.key = "k" + std::to_string(++accepted_)}));
        return orders;
    }

    bool restart() {
        open({});
        return true;
    }

    void open(EventOutbox::Options options) {
        outbox_.reset();
        auto opened = try_open(options);
        ASSERT_TRUE(opened.has_value()) << opened.error();
        outbox_ = *std::move(opened);
    }

    std::expected<std::unique_ptr<EventOutbox>, std::string> try_open(EventOutbox::Options options
    ) {
        const auto dir = sqlite::DataDir::look_at(embedded.path());
        if (!dir) return std::unexpected(dir.error());
        return EventOutbox::open(options, *dir, embedded.clock(), embedded.hash());
    }

    struct Wanted {
        std::string_view item = "shoe";
        std::int32_t quantity = 1;
        std::string key = "";
        domain::TraceContext trace = {};
    };

    domain::Order order(const Wanted& wanted) {
        Wish wish{.item = wanted.item, .quantity = wanted.quantity};
        if (!wanted.key.empty()) wish.key = wanted.key;
        domain::OrderRequest batch[] = {request(wish, embedded.hash())};
        batch[0].trace = wanted.trace;
        domain::Outcome outcomes[1];
        EXPECT_TRUE(embedded.ledger().place(batch, outcomes).has_value());
        EXPECT_TRUE(std::holds_alternative<domain::Accepted>(outcomes[0])) << spoken(outcomes[0]);
        return std::get<domain::Accepted>(outcomes[0]).order;
    }

    void set_stock(std::string_view what, domain::Units quantity) {
        EXPECT_TRUE(embedded.ledger().change_stock(stock_set(what, quantity)).has_value());
    }

    void release(const domain::Order& order) {
        const auto done = embedded.ledger().release(order.id, "lost");
        EXPECT_EQ(done.value_or(ports::Release::order_not_found), ports::Release::released);
    }

    std::vector<Event> pull(std::size_t max = 1000) {
        auto pulled = outbox_->pull(max, 0ms);
        EXPECT_TRUE(pulled.has_value());
        return pulled.value_or(std::vector<Event>{});
    }

    std::vector<Event> take() {
        auto events = pull();
        EXPECT_TRUE(outbox_->acknowledge(events).has_value());
        return events;
    }

    SqliteWorld embedded{{.on_disk = false}};

private:
    std::unique_ptr<EventOutbox> outbox_;
    int accepted_ = 0;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, OutboxContract, SqliteOutboxWorld);

// `order.accepted 3`: the type and the place in line; of stock events `stock.low 3 2/20` also what
// remains of what total.
std::vector<std::string> told(const std::vector<Event>& events) {
    std::vector<std::string> texts;
    for (const Event& event : events) {
        std::string text = std::string(name(event.type)) + " ";
        text += std::to_string(event.order.sequence);
        if (event.type == EventType::stock_low || event.type == EventType::stock_sold_out) {
            text += " " + std::to_string(event.remaining) + "/" + std::to_string(event.total);
        }
        texts.push_back(text);
    }
    return texts;
}

TEST(EventOutbox, TellsOfEachOrderThatItIsAcceptedAndConfirmed) {
    SqliteOutboxWorld world;
    const auto order = world.order({.key = "k"});
    const auto events = world.pull();
    ASSERT_THAT(told(events), ElementsAre("order.accepted 1", "order.confirmed 1"));
    EXPECT_EQ(events[0].id, order.id);
    EXPECT_EQ(events[0].key, world.embedded.hash().hash128("ann", "k"));
    EXPECT_EQ(events[0].order.status, domain::OrderStatus::confirmed);
    EXPECT_NE(events[1].id, order.id);
    EXPECT_EQ(domain::OrderId::from(events[1].id.text()), events[1].id) << "a UUIDv7 too";
    EXPECT_FALSE(events[1].key.has_value());
}

TEST(EventOutbox, CarriesTheTraceOfAnOrderThatSomebodyFollows) {
    const domain::TraceContext followed{
        .trace_high = 0x0af7651916cd43dd,
        .trace_low = ~std::uint64_t{0},
        .span = 3,
        .sampled = true};
    const auto same = [&followed](const domain::TraceContext& trace) {
        return trace.trace_high == followed.trace_high && trace.trace_low == followed.trace_low &&
               trace.span == followed.span && trace.sampled == followed.sampled;
    };
    SqliteOutboxWorld world;
    const auto order = world.order({.trace = followed});
    world.order({.trace = {.trace_high = 1, .trace_low = 2, .span = 0}});
    const auto events = world.take();
    ASSERT_EQ(events.size(), 4U);
    for (const Event& event : events) {
        const bool of_followed = event.order.id == order.id;
        EXPECT_EQ(same(event.trace), of_followed);
        EXPECT_EQ(event.trace.trace_low != 0, of_followed) << "nobody has a span to hang on";
    }
    world.release(order);
    ASSERT_THAT(told(world.pull()), ElementsAre("order.failed 1"));
    EXPECT_TRUE(same(world.pull()[0].trace));
}

TEST(EventOutbox, AFileMadeBeforeOrdersHadATraceGetsTheColumn) {
    SqliteOutboxWorld world;
    world.order({.key = "before"});
    world.embedded.close();
    world.embedded.sql("ALTER TABLE orders DROP COLUMN trace");
    world.embedded.open();
    world.open({});
    world.order({.trace = {.trace_high = 1, .trace_low = 2, .span = 3, .sampled = true}});
    const auto events = world.take();
    ASSERT_THAT(
        told(events),
        ElementsAre(
            "order.accepted 1", "order.confirmed 1", "order.accepted 2", "order.confirmed 2"
        )
    );
    EXPECT_EQ(events[0].trace.trace_low, 0U);
    EXPECT_EQ(events[2].trace.trace_low, 2U);
}

TEST(EventOutbox, BeginsAtTheEndUnlessToldOtherwise) {
    SqliteOutboxWorld world;
    world.order({});
    world.release(world.order({}));
    std::filesystem::remove(sqlite::EventCursor::file_in(world.embedded.path()));
    world.open({});
    EXPECT_THAT(world.pull(), IsEmpty());
    world.order({});
    world.open({.from_beginning = true});
    EXPECT_THAT(told(world.pull()), ElementsAre("order.accepted 3", "order.confirmed 3"))
        << "the first use was before";
}

TEST(EventOutbox, KnowsFromTheFirstUseOnWhatIsLeft) {
    SqliteOutboxWorld world;
    world.set_stock("hat", 100);
    world.order({.item = "hat", .quantity = 88});
    world.release(world.order({.item = "hat", .quantity = 5}));
    std::filesystem::remove(sqlite::EventCursor::file_in(world.embedded.path()));
    world.open({});
    world.order({.item = "hat", .quantity = 1});
    world.order({.item = "hat", .quantity = 1});
    EXPECT_THAT(
        told(world.take()),
        ElementsAre(
            "order.accepted 3",
            "order.confirmed 3",
            "order.accepted 4",
            "order.confirmed 4",
            "stock.low 4 10/100"
        )
    );
    std::filesystem::remove(sqlite::EventCursor::file_in(world.embedded.path()));
    world.open({});
    world.order({.item = "hat", .quantity = 1});
    EXPECT_THAT(told(world.take()), ElementsAre("order.accepted 5", "order.confirmed 5"))
        << "it was low before";
}

TEST(EventOutbox, TellsOfAReleaseOnceAfterItsOrderAndBeforeLaterOnes) {
    SqliteOutboxWorld world;
    const auto first = world.order({});
    const auto second = world.order({});
    world.clock().pass(1ms);
    world.release(second);
    world.clock().pass(1ms);
    world.order({});
    world.clock().pass(1ms);
    world.release(first);
    const auto events = world.pull();
    EXPECT_THAT(
        told(events),
        ElementsAre(
            "order.accepted 1",
            "order.confirmed 1",
            "order.accepted 2",
            "order.confirmed 2",
            "order.failed 2",
            "order.accepted 3",
            "order.confirmed 3",
            "order.failed 1"
        )
    );
    EXPECT_EQ(events[4].order.status, domain::OrderStatus::failed);
    EXPECT_EQ(events[4].occurred_at, events[5].occurred_at - 1ms);
    // Up to the first release, over a restart.
    EXPECT_TRUE(world.outbox().acknowledge(std::span(events).first(5)).has_value());
    world.restart();
    EXPECT_EQ(world.outbox().depth().pending, 0U) << "not looked at yet";
    EXPECT_THAT(
        told(world.take()), ElementsAre("order.accepted 3", "order.confirmed 3", "order.failed 1")
    );
    world.restart();
    EXPECT_THAT(world.pull(), IsEmpty());
}

TEST(EventOutbox, TellsOfAReleaseLongAfterItsOrder) {
    SqliteOutboxWorld world;
    const auto first = world.order({});
    const auto second = world.order({});
    EXPECT_EQ(world.take().size(), 4U);
    EXPECT_THAT(world.pull(), IsEmpty());
    world.release(second);
    EXPECT_THAT(told(world.take()), ElementsAre("order.failed 2"));
    EXPECT_THAT(world.pull(), IsEmpty());
    world.release(first);
    EXPECT_THAT(told(world.take()), ElementsAre("order.failed 1"));
    EXPECT_THAT(world.pull(), IsEmpty());
}

TEST(EventOutbox, TellsOfAReleaseAlsoWhenTheClockWasSetBack) {
    SqliteOutboxWorld world;
    world.order({});
    const auto order = world.order({});
    world.clock().step_wall(-1h);
    world.release(order);
    EXPECT_THAT(
        told(world.take()),
        ElementsAre(
            "order.accepted 1",
            "order.confirmed 1",
            "order.accepted 2",
            "order.confirmed 2",
            "order.failed 2"
        )
    );
}

TEST(EventOutbox, CountsWithTheTotalsOfTheMomentHoweverLateItLooks) {
    SqliteOutboxWorld world;
    world.set_stock("hat", 10);
    world.order({.item = "hat", .quantity = 9});
    world.order({.item = "hat", .quantity = 1});
    world.set_stock("hat", 20);
    world.order({.item = "hat", .quantity = 6});
    world.order({.item = "hat", .quantity = 2});
    world.set_stock("hat", 1'000);
    EXPECT_THAT(
        told(world.take()),
        ElementsAre(
            "order.accepted 1",
            "order.confirmed 1",
            "stock.low 1 1/10",
            "order.accepted 2",
            "order.confirmed 2",
            "stock.sold_out 2 0/10",
            "order.accepted 3",
            "order.confirmed 3",
            "order.accepted 4",
            "order.confirmed 4",
            "stock.low 4 2/20"
        )
    );
}

TEST(EventOutbox, HoldsAnItemToItsOwnPercentage) {
    SqliteOutboxWorld world;
    world.open({.stock_low = {.percent = 10, .percent_of = {{"hat", 50}}}});
    for (const std::string_view item : {"hat", "coat"}) {
        world.set_stock(item, 10);
        world.order({.item = item, .quantity = 5});
    }
    EXPECT_THAT(
        told(world.take()),
        ElementsAre(
            "order.accepted 1",
            "order.confirmed 1",
            "stock.low 1 5/10",
            "order.accepted 1",
            "order.confirmed 1"
        )
    );
}

TEST(EventOutbox, CountsUnitsThatCameBack) {
    SqliteOutboxWorld world;
    world.set_stock("hat", 10);
    const auto order = world.order({.item = "hat", .quantity = 10});
    world.clock().pass(1ms);
    world.release(order);
    world.clock().pass(1ms);
    world.order({.item = "hat", .quantity = 9});
    const auto events = world.pull();
    const std::vector<std::string> wanted{
        "order.accepted 1",
        "order.confirmed 1",
        "stock.low 1 0/10",
        "stock.sold_out 1 0/10",
        "order.failed 1",
        "order.accepted 2",
        "order.confirmed 2",
        "stock.low 2 1/10"};
    EXPECT_EQ(told(events), wanted);
    // Acknowledged up to any place, and read again after a restart, it goes on just the same.
    for (std::size_t known = 1; known < events.size(); ++known) {
        const auto before = world.pull();
        EXPECT_TRUE(world.outbox().acknowledge(std::span(before).first(1)).has_value());
        world.restart();
        const auto rest = world.pull();
        EXPECT_EQ(told(rest), std::vector(wanted.begin() + static_cast<int>(known), wanted.end()));
        ASSERT_EQ(rest.size(), events.size() - known);
        for (std::size_t i = 0; i < rest.size(); ++i) {
            EXPECT_EQ(rest[i].id, events[known + i].id);
        }
    }
}

TEST(EventOutbox, SeesEachCommitOnceWhileALaneWrites) {
    SqliteOutboxWorld world;
    constexpr int count = 500;
    std::thread lane{[&world] {
        for (int i = 0; i < count; ++i) world.order({});
    }};
    std::vector<Event> events;
    while (events.size() < 2 * count) {
        const auto pulled = world.outbox().pull(64, 1s);
        ASSERT_TRUE(pulled.has_value());
        ASSERT_FALSE(pulled->empty());
        ASSERT_TRUE(world.outbox().acknowledge(*pulled).has_value());
        events.insert(events.end(), pulled->begin(), pulled->end());
    }
    lane.join();
    for (std::size_t i = 0; i < events.size(); ++i) EXPECT_EQ(events[i].order.sequence, i / 2 + 1);
    EXPECT_THAT(world.pull(), IsEmpty());
    EXPECT_EQ(world.outbox().depth().pending, 0U);
}

TEST(EventOutbox, WakesUpWhenItIsToldTo) {
    SqliteOutboxWorld world;
    world.open({.look_every = 1h});
    world.outbox().wake();
    std::thread lane{[&world] {
        world.order({});
        world.outbox().wake();
    }};
    std::size_t seen = 0;
    while (seen == 0) {
        const auto pulled = world.outbox().pull(64, 2h);
        ASSERT_TRUE(pulled.has_value());
        seen = pulled->size();
    }
    lane.join();
    EXPECT_EQ(seen, 2U);
}

TEST(EventOutbox, IsUnavailableWhileItCannotKeepHowFarItCame) {
    SqliteOutboxWorld world;
    world.order({});
    const auto events = world.pull();
    {
        const FileSizeLimit full{1};
        const auto kept = world.outbox().acknowledge(events);
        ASSERT_FALSE(kept.has_value());
        EXPECT_EQ(kept.error(), ports::OutboxError::unavailable);
    }
    EXPECT_EQ(told(world.pull()), told(events)) << "nothing is forgotten that was not kept";
    EXPECT_TRUE(world.outbox().acknowledge(events).has_value());
    EXPECT_THAT(world.pull(), IsEmpty());
}

TEST(EventOutbox, IsUnavailableAtADamagedRow) {
    SqliteOutboxWorld world;
    world.order({});
    world.embedded.sql("UPDATE orders SET quantity = 2");
    EXPECT_EQ(world.outbox().pull(10, 0ms).error(), ports::OutboxError::unavailable);
    world.embedded.sql("UPDATE orders SET quantity = 1");
    EXPECT_EQ(world.pull().size(), 2U);
}

TEST(EventOutbox, GoesOnWithTheNextOrderWhenTheLogIsOlderThanItsPlace) {
    SqliteOutboxWorld world;
    world.order({});
    world.order({});
    world.take();
    world.embedded.sql("DELETE FROM orders WHERE sequence = 2");
    world.restart();
    EXPECT_THAT(world.pull(), IsEmpty());
    world.order({});
    EXPECT_EQ(world.pull().size(), 2U);
}

TEST(EventOutbox, SaysWhichFileIsDamaged) {
    SqliteOutboxWorld world;
    const auto file = sqlite::EventCursor::file_in(world.embedded.path());
    world.open({});
    std::ofstream{file} << std::string(8'192, 'x');
    std::filesystem::remove(file + "-wal");
    const auto opened = world.try_open({});
    ASSERT_FALSE(opened.has_value());
    EXPECT_THAT(opened.error(), HasSubstr(file));
    EXPECT_THAT(opened.error(), HasSubstr("remove it"));
}

// Two lanes, so that one does not keep the other's events waiting.
TEST(EventOutbox, ReadsAllLanesInTurn) {
    const TempDir temp;
    ManualClock clock;
    SeededEntropy entropy;
    auto dir = sqlite::DataDir::open(temp.path() / "data", 2, entropy).value();
    const base::KeyedHash hash{dir.secret()};
    std::vector<std::unique_ptr<sqlite::Ledger>> ledgers;
    for (std::size_t lane = 0; lane < 2; ++lane) {
        sqlite::Ledger::Options options;
        options.lane = lane;
        options.fatal = [](std::string_view why) { FAIL() << why; };
        ledgers.push_back(sqlite::Ledger::open(options, dir, clock, entropy, hash).value());
    }
    const std::string_view items[] = {"shoe", "hat"};
    const auto outbox = EventOutbox::open({.from_beginning = true}, dir, clock, hash).value();
    for (std::size_t lane = 0; lane < 2; ++lane) {
        EXPECT_TRUE(ledgers[lane]->change_stock(stock_set(items[lane], 1'000)).has_value());
        const std::vector batch(10, request({.item = items[lane]}, hash));
        std::vector<domain::Outcome> outcomes(10);
        EXPECT_TRUE(ledgers[lane]->place(batch, outcomes).has_value());
    }
    std::map<domain::ItemId, std::vector<domain::Sequence>> sequences;
    bool mixed = false;
    for (int round = 0; round < 20; ++round) {
        const auto events = outbox->pull(4, 0ms).value();
        if (events.empty()) break;
        for (const Event& event : events) {
            if (event.type != EventType::order_accepted) continue;
            sequences[event.order.item].push_back(event.order.sequence);
        }
        mixed = mixed || (round == 1 && sequences.size() == 2);
        EXPECT_TRUE(outbox->acknowledge(events).has_value());
    }
    EXPECT_TRUE(mixed) << "the second pull begins with the other lane";
    const auto all = ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    EXPECT_THAT(sequences[item("shoe")], all);
    EXPECT_THAT(sequences[item("hat")], all);
}

}  // namespace
}  // namespace firstcome::test
