// tests/app/dead_letter_desk_test.cpp - dead letters are tried, redriven, given up: each once
#include "app/dead_letter_desk.hpp"

#include "adapters/memory/dead_letters.hpp"
#include "tests/support/dead_letters.hpp"
#include "tests/support/manual.hpp"
#include "tests/support/sinks.hpp"

#include <gtest/gtest.h>

#include <future>
#include <map>
#include <set>

namespace firstcome::app {
namespace {

using namespace std::chrono_literals;
using ports::Cause;
using ports::DeadLetterError;
using ports::DeadLetterStatus;
using ports::LedgerError;
using test::accepted_event;

/// Gives units back once per order, as every ledger does; fails when told to.
struct Releases {
    std::expected<ports::Release, LedgerError> operator()(domain::OrderId order) {
        ++calls;
        if (const auto once = std::exchange(hook, {})) once();
        if (refused && refused(order)) return std::unexpected(LedgerError::rebuilding);
        if (!errors.empty()) {
            const LedgerError error = errors.front();
            errors.erase(errors.begin());
            return std::unexpected(error);
        }
        return given_back[order]++ == 0 ? ports::Release::released
                                        : ports::Release::already_released;
    }

    int calls = 0;
    std::map<domain::OrderId, int> given_back;
    std::vector<LedgerError> errors;
    std::function<void()> hook;
    std::function<bool(domain::OrderId)> refused;  // however often it is asked
};

/// One node's desk over a table that several nodes may share.
struct Node {
    Node(
        ports::DeadLetters& letters,
        test::ManualClock& clock,
        Releases& releases,
        DeskOptions options
    )
        : desk{
              options,
              {letters,
               {&orders, &webhook},
               [&releases](domain::OrderId order, std::string_view) { return releases(order); },
               clock,
               entropy}} {}

    test::SeededEntropy entropy;
    test::SteeredSink orders{test::SinkKind::transaction, "orders"};
    test::SteeredSink webhook{test::SinkKind::one_by_one, "webhook"};
    DeadLetterDesk desk;
};

struct DeskWorld {
    explicit DeskWorld(DeskOptions options = {})
        : here{letters, clock, releases, options}, there{*other, clock, releases, options} {}

    ports::DeadLetterId park(const domain::Event& event, std::string_view consumer = "orders") {
        EXPECT_TRUE(letters.park(event, consumer, test::refused(), clock.wall(), clock.wall() + 1s)
        );
        return newest().id;
    }

    /// Parks events 1..count and has them refused until they are dead.
    void park_dead(unsigned count) {
        for (unsigned n = 1; n <= count; ++n) {
            park(accepted_event(n));
            here.orders.refuse(accepted_event(n).id);
        }
        while (letters.totals()->dead < count) tick(1min);
        for (unsigned n = 1; n <= count; ++n) here.orders.accept(accepted_event(n).id);
    }

    void tick(std::chrono::milliseconds after = 1s) {
        clock.pass(after);
        here.desk.step();
    }

    ports::DeadLetter newest() { return letters.list({}, 1, std::nullopt).value().entries.at(0); }

    ports::DeadLetter entry(ports::DeadLetterId id) { return letters.find(id).value().value(); }

    /// Discards and says what was decided.
    std::string discard(ports::DeadLetterId id) {
        std::string said = "nothing";
        EXPECT_TRUE(here.desk.discard(id, "spoilt", "ann", [&](auto decided) {
            said = decided ? "discarded" : std::string(name(decided.error()));
        }));
        here.desk.step();
        return said;
    }

    test::ManualClock clock;
    memory::DeadLetters letters;
    std::unique_ptr<memory::DeadLetters> other = letters.other_node();
    Releases releases;
    Node here;
    Node there;
};

TEST(DeadLetterDesk, DeliversAnEntryWhenItsTimeHasCome) {
    DeskWorld world;
    const auto id = world.park(accepted_event(1));
    world.tick(999ms);
    EXPECT_EQ(world.here.orders.calls(), 0U);
    world.tick(1ms);
    EXPECT_EQ(world.here.orders.sequences(), (std::vector<domain::Sequence>{1}));
    EXPECT_EQ(world.entry(id).status, DeadLetterStatus::resolved);
    EXPECT_EQ(world.here.desk.count(DeskAction::resolved, Cause::invalid), 1U);
    world.tick(1h + 1s);
    EXPECT_EQ(world.here.orders.calls(), 1U) << "settled";
}

TEST(DeadLetterDesk, LeavesAnEntryToAPersonAfterFiveRefusals) {
    DeskWorld world;
    const auto id = world.park(accepted_event(1), "webhook");
    world.here.webhook.refuse(accepted_event(1).id, Cause::rejected);
    std::chrono::milliseconds longest = 1s;
    for (unsigned attempts = 2; attempts <= 4; ++attempts) {
        world.clock.pass(longest);
        longest *= 2;
        world.here.desk.step();
        const auto entry = world.entry(id);
        EXPECT_EQ(entry.attempts, attempts);
        EXPECT_EQ(entry.status, DeadLetterStatus::retrying);
        ASSERT_TRUE(entry.next_attempt.has_value());
        EXPECT_GT(*entry.next_attempt, world.clock.wall());
        EXPECT_LE(*entry.next_attempt, world.clock.wall() + longest) << attempts;
    }
    world.tick(longest);
    EXPECT_EQ(world.entry(id).status, DeadLetterStatus::dead);
    EXPECT_EQ(world.entry(id).attempts, 5U);
    EXPECT_EQ(world.entry(id).cause, Cause::rejected);
    world.tick(24h);
    EXPECT_EQ(world.here.webhook.calls(), 4U) << "with the relay's: five";
    EXPECT_EQ(world.here.desk.count(DeskAction::failed, Cause::rejected), 3U);
    EXPECT_EQ(world.here.desk.count(DeskAction::died, Cause::rejected), 1U);
}

TEST(DeadLetterDesk, UsesUpNoAttemptWhileTheSinkIsAway) {
    for (const Cause cause : {Cause::unavailable, Cause::overloaded, Cause::conflict}) {
        DeskWorld world;
        const auto id = world.park(accepted_event(1));
        world.here.orders.fail(cause, 50);
        for (int ticks = 0; ticks < 10'000; ++ticks) world.tick(500ms);
        EXPECT_EQ(world.entry(id).status, DeadLetterStatus::resolved);
        EXPECT_EQ(world.entry(id).attempts, 1U) << name(cause);
        EXPECT_EQ(world.here.desk.count(DeskAction::failed, cause), 50U);
    }
}

TEST(DeadLetterDesk, AsksASinkThatIsAwayOnceNotOncePerEntry) {
    DeskWorld world;
    for (unsigned n = 1; n <= 20; ++n) world.park(accepted_event(n));
    world.park(accepted_event(21), "webhook");
    world.here.orders.fail(Cause::unavailable);
    world.tick();
    EXPECT_EQ(world.here.orders.calls(), 1U);
    EXPECT_EQ(world.here.webhook.calls(), 1U) << "the other consumer's entries go on";
    for (int ticks = 0; ticks < 10; ++ticks) world.tick();
    EXPECT_EQ(world.here.orders.taken().size(), 20U);
}

TEST(DeadLetterDesk, TriesTheOthersBeforeTheOneThatFailedLast) {
    DeskWorld world;
    world.park(accepted_event(1));
    world.clock.pass(1ms);
    world.park(accepted_event(2));
    world.here.orders.refuse(accepted_event(1).id, Cause::overloaded);
    for (int ticks = 0; ticks < 30; ++ticks) world.tick();
    EXPECT_EQ(world.here.orders.sequences(), (std::vector<domain::Sequence>{2}));
}

TEST(DeadLetterDesk, GivesTheUnitsOfADiscardBackAtOnceAndOnce) {
    DeskWorld world;
    const auto id = world.park(accepted_event(1));
    EXPECT_EQ(world.discard(id), "discarded");
    EXPECT_EQ(world.releases.given_back[accepted_event(1).id], 1);
    EXPECT_EQ(world.letters.audits(), (std::vector<std::string>{"ann: spoilt"}));
    EXPECT_EQ(world.discard(id), "in_the_way");
    EXPECT_EQ(world.discard(999), "not_found");
    for (int ticks = 0; ticks < 10; ++ticks) world.tick();
    EXPECT_EQ(world.releases.calls, 1);
    EXPECT_EQ(world.here.orders.calls(), 0U) << "given up is never delivered";
    EXPECT_EQ(world.here.desk.count(DeskAction::discarded, Cause::invalid), 1U);
    EXPECT_EQ(world.here.desk.count(DeskAction::compensated, Cause::invalid), 1U);
}

TEST(DeadLetterDesk, GivesUnitsBackOnlyForTheOrderItself) {
    struct Row {
        std::string_view consumer;
        domain::EventType type;
        int releases;
        const char* why;
    };

    const Row rows[] = {
        {"orders", domain::EventType::order_accepted, 1, "the order on its way into the record"},
        {"orders", domain::EventType::order_confirmed, 0, "takes nothing"},
        {"webhook", domain::EventType::order_accepted, 0, "the shop was only to be told"},
        {"webhook", domain::EventType::order_confirmed, 0, "likewise"},
        {"webhook", domain::EventType::order_failed, 0, "likewise"},
        {"webhook", domain::EventType::stock_low, 0, "likewise"},
        {"webhook", domain::EventType::stock_sold_out, 0, "likewise"},
    };
    for (const Row& row : rows) {
        DeskWorld world;
        domain::Event event = accepted_event(1);
        event.type = row.type;
        EXPECT_EQ(world.discard(world.park(event, row.consumer)), "discarded");
        EXPECT_EQ(world.releases.calls, row.releases) << row.why;
        EXPECT_TRUE(world.letters.undone(10)->empty());
        const auto compensated = world.here.desk.count(DeskAction::compensated, Cause::invalid);
        EXPECT_EQ(compensated, static_cast<std::uint64_t>(row.releases)) << row.why;
    }
}

TEST(DeadLetterDesk, ForgetsWhatWasSettledLongAgoAPieceAtATime) {
    DeskWorld world{{.keep = 24h, .forget_every = 1min, .forgotten_max = 2}};
    for (unsigned n = 1; n <= 5; ++n) world.park(accepted_event(n), "webhook");
    world.tick(2s);
    ASSERT_EQ(world.letters.list({}, 10, std::nullopt)->total, 5U) << "delivered, and still seen";
    world.tick(23h);
    EXPECT_EQ(world.letters.list({}, 10, std::nullopt)->total, 5U);
    world.tick(1h + 1s);
    EXPECT_EQ(world.letters.list({}, 10, std::nullopt)->total, 3U);
    world.tick();
    EXPECT_EQ(world.letters.list({}, 10, std::nullopt)->total, 1U) << "the rest at the next ticks";
    world.tick();
    EXPECT_EQ(world.letters.list({}, 10, std::nullopt)->total, 0U);
}

TEST(DeadLetterDesk, TriesToGiveBackUntilTheLedgerCan) {
    DeskWorld world;
    world.releases.errors = {
        LedgerError::unavailable,
        LedgerError::storage_full,
        LedgerError::rebuilding,
        LedgerError::circuit_open,
        LedgerError::backlog,
        LedgerError::outcome_unknown,
    };
    const auto id = world.park(accepted_event(1));
    EXPECT_EQ(world.discard(id), "discarded") << "decided, whatever the ledger says";
    EXPECT_EQ(world.letters.undone(10)->size(), 1U);
    for (int ticks = 0; ticks < 10; ++ticks) world.tick();
    EXPECT_EQ(world.releases.given_back[accepted_event(1).id], 1);
    EXPECT_EQ(world.releases.calls, 7);
    EXPECT_EQ(world.here.desk.faults(), 6U);
    EXPECT_TRUE(world.letters.undone(10)->empty());
}

TEST(DeadLetterDesk, AsksAShardThatGivesNothingBackOnceATick) {
    DeskWorld world;
    for (unsigned n = 1; n <= 5; ++n) {
        const auto id = world.park(accepted_event(n));
        ASSERT_TRUE(world.letters.discard(id, "spoilt", "ann", world.clock.wall()));
    }
    world.releases.errors = {LedgerError::rebuilding};
    world.tick();
    EXPECT_EQ(world.releases.calls, 1);
    world.tick();
    EXPECT_EQ(world.releases.calls, 6) << "the others wait for nothing longer";
}

TEST(DeadLetterDesk, MakesTheOthersOfAShardGoodWhileSomeCannotBe) {
    DeskWorld world;
    for (unsigned n = 1; n <= 6; ++n) {
        const auto id = world.park(accepted_event(n));
        ASSERT_TRUE(world.letters.discard(id, "spoilt", "ann", world.clock.wall()));
    }
    const std::set<domain::OrderId> damaged{accepted_event(1).id, accepted_event(3).id};
    world.releases.refused = [&](domain::OrderId order) { return damaged.contains(order); };
    for (int ticks = 0; ticks < 3; ++ticks) world.tick();
    EXPECT_EQ(world.releases.given_back.size(), 4U);
    EXPECT_EQ(world.here.desk.faults(), 3U) << "one a tick";
    world.releases.refused = nullptr;
    world.tick();
    EXPECT_TRUE(world.letters.undone(10)->empty());
}

TEST(DeadLetterDesk, MakesAShardGoodBehindManyDiscardsOfOneThatIsAway) {
    DeskWorld world{{.undone_max = 2}};
    for (unsigned n = 1; n <= 10; ++n) {
        domain::Event event = accepted_event(n);
        if (n == 10) event.id.low = event.order.id.low ^= std::uint64_t{1} << 56U;  // next shard
        const auto id = world.park(event);
        ASSERT_TRUE(world.letters.discard(id, "spoilt", "ann", world.clock.wall()));
    }
    const unsigned away = accepted_event(1).order.id.shard();
    world.releases.refused = [&](domain::OrderId order) { return order.shard() == away; };
    for (int ticks = 0; ticks < 4; ++ticks) world.tick();
    EXPECT_EQ(world.releases.given_back.size(), 1U);
    EXPECT_EQ(world.here.desk.faults(), 4U) << "one a tick";
    EXPECT_EQ(world.letters.undone(10)->size(), 9U);
}

TEST(DeadLetterDesk, FinishesADiscardThatACrashCutShort) {
    DeskWorld world;
    const auto id = world.park(accepted_event(1));
    ASSERT_TRUE(world.letters.discard(id, "spoilt", "ann", world.clock.wall()));
    world.there.desk.step();
    EXPECT_EQ(world.releases.given_back[accepted_event(1).id], 1);
    EXPECT_TRUE(world.letters.undone(10)->empty());
}

TEST(DeadLetterDesk, DeliversAgainWhatItCouldNotNoteAsDelivered) {
    DeskWorld world;
    const auto id = world.park(accepted_event(1));
    world.here.orders.on_deliver([&](auto) {
        world.letters.fail_next(DeadLetterError::unavailable);
        world.here.orders.on_deliver({});
    });
    world.tick();
    EXPECT_EQ(world.entry(id).status, DeadLetterStatus::retrying);
    EXPECT_EQ(world.here.desk.faults(), 1U);
    world.tick(59s);
    EXPECT_EQ(world.here.orders.calls(), 1U) << "still claimed";
    world.tick(2s);
    EXPECT_EQ(world.here.orders.calls(), 2U);
    EXPECT_EQ(world.entry(id).status, DeadLetterStatus::resolved);
}

TEST(TwoDesks, DeliverEachEntryOnceTogether) {
    DeskWorld world;
    for (unsigned n = 1; n <= 50; ++n) world.park(accepted_event(n));
    world.clock.pass(1s);
    // The other node works in the middle of each of our deliveries.
    world.here.orders.on_deliver([&](auto) { world.there.desk.step(); });
    world.here.desk.step();
    std::map<domain::Sequence, int> times;
    for (const auto n : world.here.orders.sequences()) ++times[n];
    for (const auto n : world.there.orders.sequences()) ++times[n];
    EXPECT_EQ(times.size(), 50U);
    for (const auto& [sequence, count] : times) EXPECT_EQ(count, 1) << sequence;
    EXPECT_GT(world.there.orders.taken().size(), 0U);
    EXPECT_EQ(world.letters.totals()->retrying, 0U);
}

TEST(TwoDesks, GiveUnitsBackOnceTogether) {
    DeskWorld world;
    const auto id = world.park(accepted_event(1));
    world.releases.hook = [&] { world.there.desk.step(); };
    EXPECT_EQ(world.discard(id), "discarded");
    EXPECT_EQ(world.releases.calls, 2) << "both asked";
    EXPECT_TRUE(world.letters.undone(10)->empty());
    world.tick();
    world.there.desk.step();
    EXPECT_EQ(world.releases.calls, 2) << "known to be back";
}

TEST(TwoDesks, DoNotGiveUpWhatTheOtherIsTrying) {
    DeskWorld world;
    const auto id = world.park(accepted_event(1));
    std::string said;
    world.there.orders.on_deliver([&](auto) { said = world.discard(id); });
    world.clock.pass(1s);
    world.there.desk.step();
    EXPECT_EQ(said, "in_the_way");
    EXPECT_EQ(world.releases.calls, 0);
    EXPECT_EQ(world.entry(id).status, DeadLetterStatus::resolved);
}

TEST(TwoDesks, KeepThePaceOfARedriveTogether) {
    DeskWorld world;
    world.park_dead(60);
    world.there.orders.on_deliver({});
    const auto begun = world.clock.monotonic();
    ASSERT_TRUE(world.letters.start_redrive({}, 10, world.clock.wall()).has_value());
    std::size_t delivered = 0;
    while (delivered < 60 && world.clock.monotonic() < begun + 1min) {
        world.tick(250ms);
        world.there.desk.step();
        delivered = world.here.orders.taken().size() + world.there.orders.taken().size();
        const auto passed = std::chrono::duration<double>(world.clock.monotonic() - begun).count();
        ASSERT_LE(static_cast<double>(delivered), 10 * passed + 1);
    }
    EXPECT_EQ(delivered, 60U);
    EXPECT_LE(world.clock.monotonic() - begun, 9s) << "and no slower than need be";
    world.tick();
    EXPECT_EQ(world.letters.redrives()->at(0).status, "done");
}

TEST(DeadLetterDesk, CatchesNothingUpAfterARedriveStoodStill) {
    DeskWorld world;
    world.park_dead(60);
    ASSERT_TRUE(world.letters.start_redrive({}, 10, world.clock.wall()).has_value());
    world.tick();
    world.tick(30s);
    EXPECT_LE(world.letters.redrives()->at(0).moved, 10U);
}

TEST(DeadLetterDesk, ShowsTheTotalsOfTheLastTickThatCouldAsk) {
    DeskWorld world;
    EXPECT_EQ(world.here.desk.totals(), nullptr);
    world.park(accepted_event(1));
    world.here.desk.step();
    EXPECT_EQ(world.here.desk.totals()->retrying, 1U);
    EXPECT_EQ(world.here.desk.totals(), world.here.desk.totals()) << "shared, not copied";
    world.here.orders.on_deliver([&](auto) { world.here.orders.on_deliver({}); });
    world.tick();
    EXPECT_EQ(world.here.desk.totals()->retrying, 0U);
}

TEST(DeadLetterDesk, GoesOnAfterAnyCallToTheTableFailed) {
    DeskWorld world;
    world.park(accepted_event(1));
    // The first call of a tick fails: undone. What comes after it is done all the same.
    world.letters.fail_next(DeadLetterError::unavailable);
    world.tick();
    EXPECT_EQ(world.here.desk.faults(), 1U);
    EXPECT_EQ(world.here.orders.calls(), 1U);
}

TEST(DeadLetterDesk, RunsWhatItIsAskedBetweenTwoDeliveries) {
    DeskWorld world;
    world.park(accepted_event(1));
    world.park(accepted_event(2));
    world.clock.pass(1s);
    std::size_t delivered = 99;
    world.here.orders.on_deliver([&](auto) {
        world.here.orders.on_deliver({});
        EXPECT_TRUE(world.here.desk.ask([&](ports::DeadLetters&) {
            delivered = world.here.orders.taken().size();
        }));
    });
    world.here.desk.step();
    EXPECT_EQ(delivered, 1U);
    EXPECT_EQ(world.here.orders.taken().size(), 2U);
}

TEST(DeadLetterDesk, TakesOnlySoMuchWorkAndNoneAfterItsEnd) {
    DeskWorld world{{.asked_capacity = 2}};
    int runs = 0;
    const auto work = [&](ports::DeadLetters&) { ++runs; };
    EXPECT_TRUE(world.here.desk.ask(work));
    EXPECT_TRUE(world.here.desk.ask(work));
    EXPECT_FALSE(world.here.desk.ask(work)) << "full";
    EXPECT_FALSE(world.here.desk.discard(1, "", "", [](const auto&) { FAIL(); })) << "full";
    world.here.desk.stop();
    EXPECT_EQ(runs, 2) << "what was taken is done";
    EXPECT_FALSE(world.here.desk.ask(work)) << "closed";
}

TEST(DeadLetterDesk, OnItsThreadServesWorkAtOnce) {
    base::SystemClock clock;
    test::SeededEntropy entropy;
    memory::DeadLetters letters;
    DeadLetterDesk desk{
        {.tick = 1h},
        {letters, {}, [](auto, auto) { return ports::Release::released; }, clock, entropy}};
    desk.start();
    std::promise<bool> done;
    ASSERT_TRUE(desk.ask([&](ports::DeadLetters& table) {
        done.set_value(table.totals().has_value());
    }));
    EXPECT_TRUE(done.get_future().get());
    desk.stop();
    EXPECT_NE(desk.totals(), nullptr);
}

TEST(DeadLetterDesk, NamesEachActionAsTheMetricsDo) {
    std::vector<std::string_view> names;
    for (const DeskAction action : desk_actions) names.push_back(name(action));
    EXPECT_EQ(
        names,
        (std::vector<std::string_view>{"resolved", "failed", "died", "discarded", "compensated"})
    );
}

}  // namespace
}  // namespace firstcome::app
