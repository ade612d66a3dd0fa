// tests/app/relay_test.cpp - what is delivered, what waits, what is parked, and in which order
#include "app/relay.hpp"

#include "adapters/memory/dead_letters.hpp"
#include "tests/support/dead_letters.hpp"
#include "tests/support/manual.hpp"
#include "tests/support/sinks.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <numeric>
#include <set>

namespace firstcome::app {
namespace {

using namespace std::chrono_literals;
using ports::Cause;
using ports::DeadLetterError;
using ports::OutboxError;
using test::accepted_event;
using test::SinkKind;

using Sequences = std::vector<domain::Sequence>;

/// A relay with all that stands around it; an empty outbox is not listened to.
struct RelayWorld {
    explicit RelayWorld(SinkKind kind = SinkKind::transaction) : sink{kind} {}

    void put(unsigned from, unsigned to) {
        for (unsigned n = from; n <= to; ++n) outbox.put(accepted_event(n));
    }

    /// Steps until nothing waits, letting each rest pass; says how often.
    int run() {
        for (int steps = 1; steps < 1000; ++steps) {
            const RelayStep done = relay.step();
            if (done.empty) return steps;
            clock.pass(done.rest);
        }
        ADD_FAILURE() << "never done";
        return 0;
    }

    std::vector<ports::DeadLetter> parked() {
        auto page = dead_letters.list({}, 10'000, std::nullopt);
        return page ? std::move(page->entries) : std::vector<ports::DeadLetter>{};
    }

    std::set<domain::Sequence> parked_sequences() {
        std::set<domain::Sequence> all;
        for (const ports::DeadLetter& entry : parked()) all.insert(entry.event.order.sequence);
        return all;
    }

    test::ManualClock clock;
    test::SeededEntropy entropy;
    test::SteeredOutbox outbox;
    test::SteeredSink sink;
    memory::DeadLetters dead_letters;
    RelayOptions options{.pull_wait = 0ms};
    std::vector<std::chrono::milliseconds> delays;
    Relay relay{
        options,
        {outbox, sink, dead_letters, clock, entropy},
        [this](std::span<const domain::Event> delivered, base::WallTime now) {
            for (const domain::Event& event : delivered) delays.push_back(now - event.occurred_at);
        }};
};

Sequences counted_up(unsigned from, unsigned to) {
    Sequences all(to - from + 1);
    std::iota(all.begin(), all.end(), from);
    return all;
}

TEST(Relay, DeliversInOrderAndForgetsWhatIsInTheSink) {
    RelayWorld world;
    world.put(1, 5);
    const RelayStep done = world.relay.step();
    EXPECT_EQ(done.settled, 5U);
    EXPECT_EQ(done.rest, 0ms);
    EXPECT_EQ(world.sink.sequences(), counted_up(1, 5));
    EXPECT_EQ(world.outbox.depth().pending, 0U);
    EXPECT_TRUE(world.relay.step().empty);
    EXPECT_EQ(world.relay.counts().delivered, 5U);
    EXPECT_EQ(world.relay.counts().batches, 1U);
    EXPECT_EQ(world.delays, std::vector(5, world.clock.wall() - accepted_event(1).occurred_at));
}

TEST(Relay, WaitsOutWhateverPassesByItself) {
    for (const Cause cause : {Cause::unavailable, Cause::overloaded, Cause::conflict}) {
        RelayWorld world;
        world.put(1, 3);
        world.sink.fail(cause, 20);
        EXPECT_GT(world.relay.step().rest, 0ms);
        EXPECT_EQ(world.outbox.depth().pending, 3U) << "nothing is acknowledged";
        world.run();
        EXPECT_EQ(world.sink.sequences(), counted_up(1, 3)) << "in order, once";
        EXPECT_TRUE(world.parked().empty()) << name(cause);
        const RelayCounts counts = world.relay.counts();
        EXPECT_EQ(counts.transient[static_cast<std::size_t>(cause)], 20U) << name(cause);
        EXPECT_EQ(counts.backoff, 0ms) << "over";
    }
}

TEST(Relay, LeavesTheSinkAloneWhileItRests) {
    RelayWorld world;
    world.put(1, 1);
    world.sink.fail(Cause::unavailable);
    const auto rest = world.relay.step().rest;
    EXPECT_EQ(world.relay.counts().backoff, rest);
    world.clock.pass(rest - 1ms);
    EXPECT_EQ(world.relay.step().rest, 1ms);
    EXPECT_EQ(world.sink.calls(), 1U);
    EXPECT_EQ(world.outbox.pulls(), 1U);
    world.clock.pass(1ms);
    EXPECT_EQ(world.relay.step().settled, 1U);
}

TEST(Relay, RestsLongerTheLongerItFailsUpToACap) {
    RelayWorld world;
    world.put(1, 1);
    world.sink.fail(Cause::unavailable, 200);
    std::chrono::milliseconds longest{};
    for (int i = 0; i < 200; ++i) {
        const auto rest = world.relay.step().rest;
        EXPECT_TRUE(i > 0 || rest <= world.options.fault.first);
        longest = std::max(longest, rest);
        world.clock.pass(rest);
    }
    EXPECT_GT(longest, 4s);
    EXPECT_LE(longest, world.options.fault.cap);
}

TEST(Relay, AcknowledgesWhatCameThroughBeforeAFault) {
    RelayWorld world{SinkKind::one_by_one};
    world.put(1, 5);
    world.sink.fail(Cause::overloaded, 1, 3);
    const RelayStep done = world.relay.step();
    EXPECT_EQ(done.settled, 3U);
    EXPECT_GT(done.rest, 0ms);
    EXPECT_EQ(world.outbox.depth().pending, 2U);
    world.run();
    EXPECT_EQ(world.sink.sequences(), counted_up(1, 5));
}

TEST(Relay, ParksWhatIsRefusedForGoodAndGoesOnAtOnce) {
    for (const SinkKind kind : {SinkKind::transaction, SinkKind::one_by_one}) {
        RelayWorld world{kind};
        world.put(1, 9);
        world.sink.refuse(accepted_event(4).id, Cause::duplicate);
        const RelayStep done = world.relay.step();
        EXPECT_EQ(done.settled, 9U) << "parked is settled";
        EXPECT_EQ(done.rest, 0ms);
        EXPECT_EQ(world.sink.sequences(), (Sequences{1, 2, 3, 5, 6, 7, 8, 9}));
        ASSERT_EQ(world.parked().size(), 1U);
        const ports::DeadLetter entry = world.parked().front();
        EXPECT_EQ(entry.event.order.sequence, 4U);
        EXPECT_EQ(entry.consumer, "orders");
        EXPECT_EQ(entry.cause, Cause::duplicate);
        EXPECT_EQ(entry.attempts, 1U);
        EXPECT_GT(*entry.next_attempt, world.clock.wall());
        EXPECT_LE(*entry.next_attempt, world.clock.wall() + 1s);
        EXPECT_EQ(world.relay.counts().parked[static_cast<std::size_t>(Cause::duplicate)], 1U);
        EXPECT_EQ(world.outbox.depth().pending, 0U);
    }
}

TEST(Relay, FindsEachCulpritInFewCalls) {
    struct Row {
        unsigned events;
        std::set<domain::Sequence> culprits;
        const char* why;
    };

    const Row rows[] = {
        {1, {1}, "alone from the start"},
        {2, {2}, "the last of two"},
        {1000, {1}, "the first"},
        {1000, {1000}, "the last"},
        {1000, {500, 501}, "neighbours across the middle"},
        {1000, {1, 2, 3, 4, 5, 6, 7, 8}, "one after another"},
        {777, {1, 100, 333, 334, 600, 776, 777}, "here and there, in no power of two"},
    };
    for (const Row& row : rows) {
        RelayWorld world;
        world.put(1, row.events);
        for (const domain::Sequence n : row.culprits) {
            world.sink.refuse(accepted_event(static_cast<unsigned>(n)).id);
        }
        EXPECT_EQ(world.relay.step().settled, row.events) << row.why;
        EXPECT_EQ(world.parked_sequences(), row.culprits) << row.why;
        Sequences rest = counted_up(1, row.events);
        std::erase_if(rest, [&](auto n) { return row.culprits.contains(n); });
        EXPECT_EQ(world.sink.sequences(), rest) << row.why;
        const auto levels = static_cast<std::size_t>(std::bit_width(row.events));
        EXPECT_LE(world.sink.calls(), 1 + row.culprits.size() * (2 * levels + 1)) << row.why;
    }
}

TEST(Relay, AsksOnceForEachWhenAllAreRefused) {
    RelayWorld world;
    world.put(1, 256);
    for (unsigned n = 1; n <= 256; ++n) world.sink.refuse(accepted_event(n).id, Cause::rejected);
    EXPECT_EQ(world.relay.step().settled, 256U);
    EXPECT_EQ(world.parked().size(), 256U);
    EXPECT_LE(world.sink.calls(), 256U + 9U);
}

TEST(Relay, LooksNoFurtherForACulpritWhenTheSinkIsGone) {
    RelayWorld world;
    world.put(1, 8);
    world.sink.refuse(accepted_event(6).id);
    int calls = 0;
    world.sink.on_deliver([&](auto) {
        if (++calls == 3) world.sink.fail(Cause::unavailable);
    });
    const RelayStep done = world.relay.step();
    EXPECT_EQ(done.settled, 4U);
    EXPECT_GT(done.rest, 0ms);
    EXPECT_TRUE(world.parked().empty()) << "a fault that passes proves nothing against an event";
    world.run();
    EXPECT_EQ(world.sink.sequences(), (Sequences{1, 2, 3, 4, 5, 7, 8}));
    EXPECT_EQ(world.parked_sequences(), std::set<domain::Sequence>{6});
}

TEST(Relay, KeepsAnEventThatCannotBeParked) {
    RelayWorld world;
    world.put(1, 3);
    world.sink.refuse(accepted_event(2).id);
    world.dead_letters.fail_next(DeadLetterError::unavailable);
    const RelayStep done = world.relay.step();
    EXPECT_EQ(done.settled, 1U);
    EXPECT_GT(done.rest, 0ms);
    EXPECT_EQ(world.outbox.depth().pending, 2U) << "neither delivered nor parked: still here";
    EXPECT_EQ(world.relay.counts().park_faults, 1U);
    world.run();
    EXPECT_EQ(world.parked_sequences(), std::set<domain::Sequence>{2});
    EXPECT_EQ(world.sink.sequences(), (Sequences{1, 3}));
}

TEST(Relay, RepeatsWhatItCouldNotAcknowledge) {
    RelayWorld world;
    world.put(1, 3);
    world.sink.refuse(accepted_event(2).id);
    world.outbox.fail_acknowledge(OutboxError::unavailable);
    EXPECT_GT(world.relay.step().rest, 0ms);
    EXPECT_EQ(world.outbox.depth().pending, 3U);
    world.run();
    EXPECT_EQ(world.sink.sequences(), (Sequences{1, 3, 1, 3})) << "at least once";
    EXPECT_EQ(world.parked().size(), 1U) << "parked twice is parked once";
    EXPECT_EQ(world.relay.counts().outbox_faults, 1U);
}

TEST(Relay, SaysWhenTheLineIsAnotherNodes) {
    RelayWorld world;
    world.put(1, 2);
    world.outbox.fail_pull(OutboxError::not_ours);
    const RelayStep pulled = world.relay.step();
    EXPECT_TRUE(pulled.not_ours);
    EXPECT_EQ(world.sink.calls(), 0U);
    world.clock.pass(pulled.rest);
    world.outbox.fail_acknowledge(OutboxError::not_ours);
    EXPECT_TRUE(world.relay.step().not_ours);
    EXPECT_EQ(world.outbox.depth().pending, 2U);
    world.clock.pass(world.options.fault.cap);
    world.outbox.fail_pull(OutboxError::unavailable);
    EXPECT_FALSE(world.relay.step().not_ours) << "away is not another's";
}

TEST(Relay, BeginsNoSinkCallAfterItsDeadline) {
    RelayWorld world{SinkKind::one_by_one};
    world.put(1, 3);
    for (unsigned n = 1; n <= 3; ++n) world.sink.refuse(accepted_event(n).id);
    world.sink.on_deliver([&](auto) { world.clock.pass(2s); });
    world.relay.hurry(world.clock.monotonic() + 3s);
    EXPECT_EQ(world.relay.step().settled, 2U);
    EXPECT_EQ(world.sink.calls(), 2U);
    EXPECT_EQ(world.relay.drain(world.clock.monotonic()), 1U) << "left";
}

TEST(Relay, OnItsThreadDeliversAllBeforeItEnds) {
    base::SystemClock clock;
    test::SeededEntropy entropy;
    test::SteeredOutbox outbox;
    test::SteeredSink sink;
    memory::DeadLetters dead_letters;
    sink.fail(Cause::unavailable, 2);
    RelayOptions options{.batch_max = 7, .fault = {.first = 2ms, .cap = 2ms}};
    Relay relay{options, {outbox, sink, dead_letters, clock, entropy}};
    relay.start();
    for (unsigned n = 1; n <= 100; ++n) outbox.put(accepted_event(n));
    EXPECT_EQ(relay.drain(clock.monotonic() + 60s), 0U);
    EXPECT_EQ(sink.sequences(), counted_up(1, 100));
}

TEST(Relay, EndsAtItsDeadlineAndSaysWhatIsLeft) {
    base::SystemClock clock;
    test::SeededEntropy entropy;
    test::SteeredOutbox outbox;
    test::SteeredSink sink;
    memory::DeadLetters dead_letters;
    sink.fail(Cause::unavailable, 10'000);
    Relay relay{{}, {outbox, sink, dead_letters, clock, entropy}};
    for (unsigned n = 1; n <= 3; ++n) outbox.put(accepted_event(n));
    relay.start();
    EXPECT_EQ(relay.drain(clock.monotonic() + 30ms), 3U);
}

}  // namespace
}  // namespace firstcome::app
