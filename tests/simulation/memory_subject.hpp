// tests/simulation/memory_subject.hpp - the reference ledger as a subject, as it is or spoilt
#pragma once

#include "adapters/memory/ledger.hpp"
#include "tests/simulation/run.hpp"
#include "tests/support/ledgers.hpp"

namespace firstcome::simulation {

template <typename Wrapped = test::LedgerDecorator>
class MemorySubject final : public Subject {
public:
    std::string_view name() const override { return "memory"; }

    ports::OrderLedger& ledger() override { return wrapped_; }

    ports::OrderStore& store() override { return memory_; }

    test::ManualClock& clock() override { return clock_; }

    const base::KeyedHash& hash() override { return hash_; }

    void without_room(const std::function<void()>& work) override {
        memory_.fail_next(ports::LedgerError::storage_full);
        work();
    }

private:
    test::ManualClock clock_;
    test::SeededEntropy entropy_;
    base::KeyedHash hash_{base::KeyedHash::new_secret(entropy_)};
    memory::Ledger memory_{{.shard = 0, .key_ttl = key_ttl}, clock_, entropy_, hash_};
    Wrapped wrapped_{memory_};
};

}  // namespace firstcome::simulation
