// tests/adapters/sqlite/ledger_test.cpp - the embedded ledger passes the contract
#include "adapters/sqlite/ledger.hpp"

#include "adapters/sqlite/store.hpp"
#include "tests/contract/ledger_contract.hpp"
#include "tests/support/temp_dir.hpp"

#include <fstream>

namespace firstcome::test {
namespace {

class SqliteWorld {
public:
    SqliteWorld() { open(); }

    ports::OrderLedger& ledger() { return *ledger_; }

    ports::OrderStore& store() { return *store_; }

    ManualClock& clock() { return clock_; }

    const base::KeyedHash& hash() { return *hash_; }

    const sqlite::DataDir& dir() { return *dir_; }

    const std::filesystem::path& path() { return temp_.path(); }

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
        auto dir = sqlite::DataDir::open(temp_.path() / "data", 1, entropy_);
        if (!dir) return std::unexpected(dir.error());
        dir_ = std::make_unique<sqlite::DataDir>(std::move(*dir));
        hash_ = std::make_unique<base::KeyedHash>(dir_->secret());
        sqlite::Ledger::Options options;
        options.checkpoint_pages = 8;  // so that the contract also runs across checkpoints
        options.fatal = [](std::string_view why) { FAIL() << why; };
        auto ledger = sqlite::Ledger::open(options, *dir_, clock_, entropy_, *hash_);
        if (!ledger) return std::unexpected(ledger.error());
        ledger_ = std::move(*ledger);
        auto store = sqlite::Store::open(*dir_, {&ledger_->chains()}, *hash_);
        if (!store) return std::unexpected(store.error());
        store_ = std::move(*store);
        return {};
    }

private:
    TempDir temp_;
    ManualClock clock_;
    SeededEntropy entropy_;
    std::unique_ptr<sqlite::DataDir> dir_;
    std::unique_ptr<base::KeyedHash> hash_;
    std::unique_ptr<sqlite::Ledger> ledger_;
    std::unique_ptr<sqlite::Store> store_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, LedgerContract, SqliteWorld);

}  // namespace
}  // namespace firstcome::test
