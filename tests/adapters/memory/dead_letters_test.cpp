// tests/adapters/memory/dead_letters_test.cpp - the reference table of dead letters
#include "adapters/memory/dead_letters.hpp"

#include "tests/contract/dead_letters_contract.hpp"

namespace firstcome::test {
namespace {

class MemoryDeadLettersWorld {
public:
    ports::DeadLetters& letters() { return first_; }

    ports::DeadLetters& other() { return *second_; }

    std::vector<std::string> audits() { return first_.audits(); }

    bool restart() { return false; }

private:
    memory::DeadLetters first_;
    std::unique_ptr<memory::DeadLetters> second_ = first_.other_node();
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, DeadLettersContract, MemoryDeadLettersWorld);

TEST(MemoryDeadLetters, FailsOnceAsToldAndChangesNothing) {
    memory::DeadLetters letters;
    letters.fail_next(ports::DeadLetterError::unavailable);
    const auto now = ManualClock{}.wall();
    const auto parked = letters.park(accepted_event(1), "orders", refused(), now, now);
    EXPECT_EQ(parked.error(), ports::DeadLetterError::unavailable);
    EXPECT_EQ(letters.totals().value().retrying, 0U);
}

}  // namespace
}  // namespace firstcome::test
