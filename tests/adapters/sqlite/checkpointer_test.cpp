// tests/adapters/sqlite/checkpointer_test.cpp - the log stays short, and no copy of it loses an
// order
#include "adapters/sqlite/checkpointer.hpp"

#include "tests/adapters/sqlite/world.hpp"
#include "tests/support/orders.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>

namespace firstcome::test {
namespace {

constexpr int batch_size = 50;

class CheckpointerTest : public ::testing::Test {
protected:
    CheckpointerTest() {
        EXPECT_TRUE(world.ledger().change_stock(stock_set("shoe", 1'000'000'000)).has_value());
    }

    void place_batch() {
        std::vector<domain::OrderRequest> batch;
        for (int i = 0; i < batch_size; ++i) {
            const std::string who = fmt::format("user-{}", (placed + i) % 1'000);
            batch.push_back(request({.user = who}, world.hash()));
        }
        std::vector<domain::Outcome> outcomes(batch.size());
        ASSERT_TRUE(world.ledger().place(batch, outcomes).has_value());
        placed += batch_size;
        newest = std::get<domain::Accepted>(outcomes.back()).order.id;
    }

    std::filesystem::path log_file() const { return world.lane_file().string() + "-wal"; }

    // How often SQLite started the log over, as its header says.
    std::uint32_t log_round() const {
        std::ifstream in(log_file(), std::ios::binary);
        unsigned char header[16] = {};
        in.read(reinterpret_cast<char*>(header), sizeof(header));
        std::uint32_t round = 0;
        for (int i = 12; i < 16; ++i) round = round << 8U | header[i];
        return round;
    }

    SqliteWorld world{{.checkpoint_pages = 100}};
    int placed = 0;
    domain::OrderId newest;
};

TEST_F(CheckpointerTest, StartsTheLogOverAgainAndAgainUnderLoad) {
    constexpr std::uint32_t rounds = 8;
    constexpr int batches_max = 50'000;  // far more than a starved thread needs
    const std::uint32_t first = log_round();
    std::uintmax_t longest = 0;
    for (int batches = 0; log_round() < first + rounds; ++batches) {
        ASSERT_LT(batches, batches_max) << "the log is never started over";
        place_batch();
        const auto after = std::filesystem::file_size(log_file());
        longest = std::max(longest, after);
    }
    EXPECT_GT(longest, 100U * 4096U) << "not before it is long";
    EXPECT_EQ(world.ledger().stock(item("shoe"))->orders, static_cast<std::uint64_t>(placed));
    world.restart();
    EXPECT_EQ(world.ledger().stock(item("shoe"))->orders, static_cast<std::uint64_t>(placed));
}

// A copy of the files between two batches is what a crash leaves, whatever the other thread moves.
TEST_F(CheckpointerTest, EveryOrderSurvivesACopyTakenWithoutClosing) {
    for (int copy = 0; copy < 12; ++copy) {
        for (int i = 0; i < 15; ++i) place_batch();
        SqliteWorld other;
        other.close();
        for (const std::string_view name : {"lane-00.db", "lane-00.db-wal"}) {
            std::filesystem::copy_file(
                world.path() / name,
                other.path() / name,
                std::filesystem::copy_options::overwrite_existing
            );
        }
        std::filesystem::remove(other.path() / "lane-00.db-shm");
        const auto opened = other.try_open();
        ASSERT_TRUE(opened.has_value()) << opened.error();
        ASSERT_EQ(other.sqlite_ledger().orders_recovered(), static_cast<std::uint64_t>(placed));
        ASSERT_TRUE(other.store().find(newest).value().has_value());
    }
    EXPECT_GT(log_round(), 0U);
}

}  // namespace
}  // namespace firstcome::test
