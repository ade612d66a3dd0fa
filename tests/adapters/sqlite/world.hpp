// tests/adapters/sqlite/world.hpp - an embedded ledger and its store in a directory of their own
#pragma once

#include "adapters/sqlite/ledger.hpp"
#include "adapters/sqlite/store.hpp"
#include "tests/support/manual.hpp"
#include "tests/support/temp_dir.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <expected>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::test {

struct SqliteOptions {
    int checkpoint_pages = 8;  // so that the contract also runs across checkpoints
    std::chrono::seconds key_ttl{86'400};
    std::uint64_t seed = 1;
    bool on_disk = true;  // false: in memory, where a sync costs nothing
};

class SqliteWorld {
public:
    explicit SqliteWorld(SqliteOptions options = {})
        : options_(options), temp_(options.on_disk ? "" : "/dev/shm"), entropy_(options.seed) {
        open();
    }

    ports::OrderLedger& ledger() { return *ledger_; }

    sqlite::Ledger& sqlite_ledger() { return *ledger_; }

    ports::OrderStore& store() { return *store_; }

    ManualClock& clock() { return clock_; }

    const base::KeyedHash& hash() { return *hash_; }

    std::filesystem::path path() const { return temp_.path() / "data"; }

    std::filesystem::path lane_file() const { return path() / "lane-00.db"; }

    bool restart() {
        close();
        open();
        return true;
    }

    void close() {
        store_.reset();
        ledger_.reset();
        dir_.reset();
    }

    void open() {
        const auto opened = try_open();
        ASSERT_TRUE(opened.has_value()) << opened.error();
    }

    std::expected<void, std::string> try_open() {
        auto dir = sqlite::DataDir::open(path(), 1, entropy_);
        if (!dir) return std::unexpected(dir.error());
        dir_ = std::make_unique<sqlite::DataDir>(std::move(*dir));
        hash_ = std::make_unique<base::KeyedHash>(dir_->secret());
        sqlite::Ledger::Options options;
        options.key_ttl = options_.key_ttl;
        options.checkpoint_pages = options_.checkpoint_pages;
        options.keeps_traces = true;
        options.fatal = [](std::string_view why) { FAIL() << why; };
        auto ledger = sqlite::Ledger::open(options, *dir_, clock_, entropy_, *hash_);
        if (!ledger) return std::unexpected(ledger.error());
        ledger_ = std::move(*ledger);
        auto store = sqlite::Store::open(*dir_, {&ledger_->chains()}, *hash_);
        if (!store) return std::unexpected(store.error());
        store_ = std::move(*store);
        return {};
    }

    /// Through a connection of its own, as somebody else's program would.
    void sql(const std::string& text) const {
        auto database = sqlite::Database::open(lane_file().string(), sqlite::Database::Mode::write);
        ASSERT_TRUE(database.has_value()) << database.error().text;
        const auto done = database->execute(text);
        ASSERT_TRUE(done.has_value()) << done.error().text;
    }

private:
    SqliteOptions options_;
    TempDir temp_;
    ManualClock clock_;
    SeededEntropy entropy_;
    std::unique_ptr<sqlite::DataDir> dir_;
    std::unique_ptr<base::KeyedHash> hash_;
    std::unique_ptr<sqlite::Ledger> ledger_;
    std::unique_ptr<sqlite::Store> store_;
};

}  // namespace firstcome::test
