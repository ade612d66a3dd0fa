// tests/adapters/sqlite/ledger_test.cpp - the embedded ledger passes the contract
#include "adapters/sqlite/ledger.hpp"

#include "tests/adapters/sqlite/world.hpp"
#include "tests/contract/ledger_contract.hpp"

namespace firstcome::test {
namespace {

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, LedgerContract, SqliteWorld);

}  // namespace
}  // namespace firstcome::test
