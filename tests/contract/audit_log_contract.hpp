// tests/contract/audit_log_contract.hpp - what every audit log must do; a world gives one and a
// way to change stock
#pragma once

#include "ports/audit_log.hpp"
#include "tests/support/manual.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::test {

/// A world has: ports::AuditLog& log(), void change_stock(item, units, who) at clock().wall(),
/// ManualClock& clock().
template <typename World>
class AuditLogContract : public ::testing::Test {
protected:
    ports::AuditEntry entry(std::string_view what, std::string_view subject) {
        return {
            .at = world.clock().wall(),
            .who = "ops",
            .what = std::string{what},
            .subject = std::string{subject},
            .reason = "why not",
            .trace_id = "0af7651916cd43dd8448eb211c80319c",
            .before = R"({"state":"CLOSED"})",
            .after = R"({"state":"FORCED_OPEN"})"};
    }

    void add(const ports::AuditEntry& wanted) { ASSERT_TRUE(world.log().add(wanted)); }

    /// All there is, by pages of `limit`.
    std::vector<std::string> subjects(std::size_t limit) {
        std::vector<std::string> all;
        std::optional<ports::AuditCursor> below;
        for (int page = 0; page < 100; ++page) {
            const auto listed = world.log().list(limit, below);
            EXPECT_TRUE(listed);
            if (!listed) return all;
            for (const auto& each : listed->entries) all.push_back(each.subject);
            EXPECT_LE(listed->entries.size(), limit);
            if (!listed->next) return all;
            below = listed->next;
        }
        ADD_FAILURE() << "pages without end";
        return all;
    }

    World world;
};

TYPED_TEST_SUITE_P(AuditLogContract);

TYPED_TEST_P(AuditLogContract, GivesBackWhatWasAdded) {
    EXPECT_TRUE(this->world.log().list(10, {})->entries.empty());
    const auto wanted = this->entry("breaker.open", "redis");
    this->add(wanted);
    const auto page = this->world.log().list(10, {});
    ASSERT_EQ(page->entries.size(), 1U);
    const ports::AuditEntry& got = page->entries.front();
    EXPECT_EQ(got.at, wanted.at);
    EXPECT_EQ(got.who, "ops");
    EXPECT_EQ(got.what, "breaker.open");
    EXPECT_EQ(got.subject, "redis");
    EXPECT_EQ(got.reason, "why not");
    EXPECT_EQ(got.trace_id, wanted.trace_id);
    EXPECT_NE(got.before.find("CLOSED"), std::string::npos);
    EXPECT_NE(got.after.find("FORCED_OPEN"), std::string::npos);
    EXPECT_FALSE(page->next);
}

TYPED_TEST_P(AuditLogContract, TakesAnyTextForAReason) {
    const std::string odd[] = {
        {"a\0z", 3}, "a\xFF\xC3z", "a\n\x1Bz", std::string(9'000, 'a') + 'z'};
    for (const std::string& reason : odd) {
        auto wanted = this->entry("dead_letter.discard", "17");
        wanted.reason = reason;
        this->add(wanted);
        const auto page = this->world.log().list(1, {});
        ASSERT_TRUE(page) << reason;
        const std::string& got = page->entries.at(0).reason;
        EXPECT_EQ(got.size(), reason.size()) << "whole, whatever stands for what is no text";
        EXPECT_TRUE(got.starts_with('a') && got.ends_with('z')) << got;
        this->world.clock().pass(std::chrono::milliseconds{1});
    }
}

TYPED_TEST_P(AuditLogContract, HoldsStockChangesToo) {
    this->world.change_stock("tv", 7, "alice");
    const auto page = this->world.log().list(10, {});
    ASSERT_EQ(page->entries.size(), 1U);
    EXPECT_EQ(page->entries[0].what, "stock.set");
    EXPECT_EQ(page->entries[0].subject, "tv");
    EXPECT_EQ(page->entries[0].who, "alice");
    EXPECT_NE(page->entries[0].before.find("total"), std::string::npos);
    EXPECT_NE(page->entries[0].after.find('7'), std::string::npos);
}

TYPED_TEST_P(AuditLogContract, ListsTheNewestFirstAndEachOnceWhateverThePages) {
    std::multiset<std::string> made;
    for (int i = 0; i < 12; ++i) {
        const std::string name = "n" + std::to_string(i);
        made.insert(name);
        if (i % 3 == 0) {
            this->world.change_stock(name, i + 1, "alice");
        } else {
            this->add(this->entry("breaker.open", name));
        }
        // Some share a millisecond.
        if (i % 4 == 3) this->world.clock().pass(std::chrono::milliseconds{1});
    }
    const auto all = this->subjects(100);
    for (const std::size_t limit : {1U, 2U, 5U, 12U}) EXPECT_EQ(this->subjects(limit), all);
    EXPECT_EQ(std::multiset<std::string>(all.begin(), all.end()), made);
    EXPECT_EQ(all.size(), 12U);
}

REGISTER_TYPED_TEST_SUITE_P(
    AuditLogContract,
    GivesBackWhatWasAdded,
    TakesAnyTextForAReason,
    HoldsStockChangesToo,
    ListsTheNewestFirstAndEachOnceWhateverThePages
);

}  // namespace firstcome::test
