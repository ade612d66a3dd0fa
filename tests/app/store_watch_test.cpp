// tests/app/store_watch_test.cpp - a store's fault lasts until an order was written
#include "app/store_watch.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace firstcome::app {
namespace {

using domain::Outcome;
using ports::LedgerError;

class Counting final : public ports::Observer {
public:
    void batch_placed(unsigned, const ports::BatchReport&) override { ++reports; }

    int reports = 0;
};

ports::BatchReport answered(const std::vector<Outcome>& outcomes) {
    return {.outcomes = outcomes, .size = outcomes.size(), .result = {}};
}

ports::BatchReport failed(LedgerError error) {
    return {.outcomes = {}, .size = 1, .result = std::unexpected(error)};
}

TEST(StoreWatch, KeepsAFaultUntilSomethingWasWritten) {
    Counting next;
    StoreWatch watch{2, next};
    EXPECT_EQ(watch.fault(), std::nullopt);
    watch.batch_placed(1, failed(LedgerError::storage_full));
    EXPECT_EQ(watch.fault(), LedgerError::storage_full);

    watch.batch_placed(1, answered({domain::Rejected{.why = domain::Rejection::sold_out}}));
    EXPECT_EQ(watch.fault(), LedgerError::storage_full) << "a refusal touches no disk";
    watch.batch_placed(1, answered({domain::Accepted{.order = {}, .replayed = true}}));
    EXPECT_EQ(watch.fault(), LedgerError::storage_full) << "a repeat only reads";
    watch.batch_placed(0, answered({domain::Accepted{.order = {}}}));
    EXPECT_EQ(watch.fault(), LedgerError::storage_full) << "another lane's file";
    watch.batch_placed(1, answered({domain::Accepted{.order = {}}}));
    EXPECT_EQ(watch.fault(), std::nullopt);
    EXPECT_EQ(next.reports, 5) << "whoever counts hears of every batch";
}

}  // namespace
}  // namespace firstcome::app
