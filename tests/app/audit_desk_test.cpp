// tests/app/audit_desk_test.cpp - nothing an admin did is forgotten, not even while the store is
// away
#include "app/audit_desk.hpp"

#include "tests/support/manual.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace firstcome::app {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Store {
    bool away = false;
    std::string refused;  // what it will never take
    std::vector<ports::AuditEntry> written;
};

class TestLog final : public ports::AuditLog {
public:
    explicit TestLog(Store& store) : store_(store) {}

    Result<void> add(const ports::AuditEntry& entry) override {
        if (store_.away) return std::unexpected(ports::AuditError::unavailable);
        if (entry.what == store_.refused) return std::unexpected(ports::AuditError::refused);
        store_.written.push_back(entry);
        return {};
    }

    Result<ports::AuditPage> list(std::size_t, const std::optional<ports::AuditCursor>&) override {
        return ports::AuditPage{.entries = store_.written, .next = {}};
    }

private:
    Store& store_;
};

class Auditing : public testing::Test {
protected:
    std::vector<std::string> written() {
        std::vector<std::string> whats;
        for (const auto& entry : store.written) whats.push_back(entry.what);
        return whats;
    }

    void note(std::string what) {
        ports::AuditEntry entry;
        entry.what = std::move(what);
        desk.note(std::move(entry));
    }

    Store store;
    test::ManualClock clock;
    std::vector<std::string> lost;
    AuditDesk desk{std::make_unique<TestLog>(store), clock, [this](const ports::AuditEntry& entry) {
                       lost.push_back(entry.what);
                   }};
};

TEST_F(Auditing, AnEntryIsWrittenWithTheTimeItWasNoted) {
    const auto then = clock.wall();
    note("one");
    clock.pass(std::chrono::seconds{5});
    desk.step();
    ASSERT_THAT(written(), ElementsAre("one"));
    EXPECT_EQ(store.written.front().at, then);
}

TEST_F(Auditing, WhatCannotBeWrittenWaitsAndStaysInOrder) {
    store.away = true;
    note("one");
    note("two");
    desk.step();
    EXPECT_THAT(written(), IsEmpty());
    store.away = false;
    note("three");
    desk.step();
    EXPECT_THAT(written(), ElementsAre("one", "two", "three"));
    EXPECT_THAT(lost, IsEmpty());
}

TEST_F(Auditing, WhatTheLogWillNeverTakeIsToldAndPassedOver) {
    store.refused = "two";
    note("one");
    note("two");
    note("three");
    desk.step();
    EXPECT_THAT(written(), ElementsAre("one", "three"));
    EXPECT_THAT(lost, ElementsAre("two"));
    desk.stop();
    EXPECT_EQ(lost.size(), 1U) << "told once";
}

TEST_F(Auditing, AQuestionSeesWhatWasNotedBefore) {
    note("one");
    std::size_t seen = 0;
    EXPECT_TRUE(desk.ask([&](ports::AuditLog& log) { seen = log.list(1, {})->entries.size(); }));
    desk.step();
    EXPECT_EQ(seen, 1U);
}

TEST_F(Auditing, TheEndWritesOnceMoreAndTellsWhatIsLost) {
    note("one");
    desk.stop();
    EXPECT_THAT(written(), ElementsAre("one"));
    note("late");
    EXPECT_THAT(lost, ElementsAre("late"));
    EXPECT_FALSE(desk.ask([](ports::AuditLog&) {}));
}

TEST_F(Auditing, AStoreThatIsAwayAtTheEndLosesNothingSilently) {
    store.away = true;
    note("one");
    desk.stop();
    EXPECT_THAT(lost, ElementsAre("one"));
}

TEST_F(Auditing, MoreThanThereIsRoomForIsTold) {
    store.away = true;
    for (std::size_t i = 0; i < AuditDesk::waiting_max; ++i) note("kept");
    note("too much");
    EXPECT_THAT(lost, ElementsAre("too much")) << "the queue is full";
    desk.step();
    note("still too much");
    desk.step();
    EXPECT_EQ(lost.size(), 2U) << "what waits is bounded too";
}

}  // namespace
}  // namespace firstcome::app
