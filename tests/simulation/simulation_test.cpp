// tests/simulation/simulation_test.cpp - the embedded ledger, the reference and a model agree
#include "tests/adapters/sqlite/world.hpp"
#include "tests/simulation/memory_subject.hpp"
#include "tests/simulation/run.hpp"
#include "tests/support/file_size_limit.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace firstcome::simulation {
namespace {

class SqliteSubject final : public Subject {
public:
    explicit SqliteSubject(std::uint64_t seed)
        : world_({.checkpoint_pages = 8, .key_ttl = key_ttl, .seed = seed, .on_disk = false}) {}

    std::string_view name() const override { return "sqlite"; }

    ports::OrderLedger& ledger() override { return world_.ledger(); }

    ports::OrderStore& store() override { return world_.store(); }

    test::ManualClock& clock() override { return world_.clock(); }

    const base::KeyedHash& hash() override { return world_.hash(); }

    void restart() override { world_.restart(); }

    void without_room(const std::function<void()>& work) override {
        const test::FileSizeLimit full{0};
        work();
    }

private:
    test::SqliteWorld world_;
};

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
    const char* text = std::getenv(variable);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// FC_SEEDS=N runs the first N seeds; FC_SEED=n replays one.
TEST(Simulation, EveryLedgerAgreesWithTheModelOnEverySeed) {
    const std::uint64_t only = number_from("FC_SEED", 0);
    const std::uint64_t first = only != 0 ? only : 1;
    const std::uint64_t last = only != 0 ? only : number_from("FC_SEEDS", 200);
    for (std::uint64_t seed = first; seed <= last; ++seed) {
        std::vector<std::unique_ptr<Subject>> subjects;
        subjects.push_back(std::make_unique<SqliteSubject>(seed));
        subjects.push_back(std::make_unique<MemorySubject<>>());
        const auto difference = first_difference(seed, subjects);
        ASSERT_FALSE(difference.has_value() || HasFailure())
            << "seed " << seed << ": " << difference.value_or("see above")
            << "\nrerun: FC_SEED=" << seed
            << " build/dev/simulation_test --gtest_filter=Simulation.*";
    }
}

}  // namespace
}  // namespace firstcome::simulation
