// tests/adapters/sqlite/log_check_test.cpp - a torn log is cut, a damaged one is reported
#include "adapters/sqlite/log_check.hpp"

#include "tests/adapters/sqlite/world.hpp"
#include "tests/support/orders.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace firstcome::test {
namespace {

constexpr std::size_t header_size = 32;
constexpr std::size_t frame_size = 24 + 4096;

/// A copy of a lane's files, taken while six commits stand in the log: what a crash leaves.
class LogCheck : public ::testing::Test {
protected:
    LogCheck() : world_({.checkpoint_pages = 4096}) {
        std::vector<domain::Outcome> outcome(1);
        EXPECT_TRUE(world_.ledger().change_stock(stock_set("shoe", 100)).has_value());
        for (int i = 0; i < 6; ++i) {
            const std::vector<domain::OrderRequest> one{request({}, world_.hash())};
            EXPECT_TRUE(world_.ledger().place(one, outcome).has_value());
        }
        file_ = (copy_.path() / "lane-00.db").string();
        std::filesystem::copy_file(world_.lane_file(), file_);
        std::filesystem::copy_file(world_.lane_file().string() + "-wal", log());
        std::ifstream in{log(), std::ios::binary};
        bytes_.assign(std::istreambuf_iterator<char>{in}, {});
        for (std::size_t at = header_size; at + frame_size <= bytes_.size(); at += frame_size) {
            const bool of_this_log = bytes_.compare(at + 8, 8, bytes_, 16, 8) == 0;
            if (!of_this_log) break;
            if (bytes_.compare(at + 4, 4, std::string(4, 0)) != 0) commits_.push_back(at);
        }
    }

    std::string log() const { return file_ + "-wal"; }

    std::string checked_with_a_flip_at(std::size_t position) {
        std::string changed = bytes_;
        changed[position] = static_cast<char>(changed[position] ^ 1);
        std::ofstream{log(), std::ios::binary} << changed;
        const auto checked = sqlite::check_log(file_);
        return checked ? "" : checked.error();
    }

    SqliteWorld world_;
    TempDir copy_;
    std::string file_;
    std::string bytes_;
    std::vector<std::size_t> commits_;  // where their frames begin
};

TEST_F(LogCheck, TakesAWholeLogAndOneThatIsTornInItsLastCommit) {
    ASSERT_GE(commits_.size(), 6U);
    EXPECT_TRUE(sqlite::check_log(file_).has_value());
    EXPECT_EQ(checked_with_a_flip_at(commits_.back() + 1000), "") << "looks like a torn tail";
    std::filesystem::resize_file(log(), commits_.back() + 10);
    EXPECT_TRUE(sqlite::check_log(file_).has_value());
}

TEST_F(LogCheck, ReportsABitThatFlippedBeforeTheLastCommit) {
    const std::size_t before_last = commits_[commits_.size() - 2];
    for (const std::size_t inside : {0U, 5U, 9U, 14U, 17U, 100U, 4000U}) {
        EXPECT_NE(checked_with_a_flip_at(before_last + inside), "") << "byte " << inside;
        EXPECT_NE(checked_with_a_flip_at(commits_.front() + inside), "") << "byte " << inside;
    }
    EXPECT_NE(checked_with_a_flip_at(9), "") << "the header";
}

TEST_F(LogCheck, ALogMadeLongAheadIsTakenForNothing) {
    std::filesystem::resize_file(log(), 0);
    EXPECT_TRUE(sqlite::lengthen_log(file_, 100'000).has_value());
    EXPECT_EQ(std::filesystem::file_size(log()), 100'000U);
    EXPECT_TRUE(sqlite::check_log(file_).has_value());
}

}  // namespace
}  // namespace firstcome::test
