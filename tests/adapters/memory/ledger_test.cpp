// tests/adapters/memory/ledger_test.cpp - the reference ledger passes the contract
#include "adapters/memory/ledger.hpp"

#include "tests/contract/ledger_contract.hpp"

namespace firstcome::test {
namespace {

class MemoryWorld {
public:
    ports::OrderLedger& ledger() { return ledger_; }

    ports::OrderStore& store() { return ledger_; }

    ManualClock& clock() { return clock_; }

    const base::KeyedHash& hash() { return hash_; }

    bool restart() { return false; }

private:
    ManualClock clock_;
    SeededEntropy entropy_;
    base::KeyedHash hash_{base::KeyedHash::new_secret(entropy_)};
    memory::Ledger ledger_{{}, clock_, entropy_, hash_};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, LedgerContract, MemoryWorld);

}  // namespace
}  // namespace firstcome::test
