// tests/simulation/planted_bugs_test.cpp - the checker is tested too: each planted bug is caught
#include "tests/simulation/memory_subject.hpp"
#include "tests/simulation/run.hpp"

#include <gtest/gtest.h>

#include <map>

namespace firstcome::simulation {
namespace {

using domain::Accepted;
using domain::OrderRequest;
using domain::Outcome;
using domain::Rejected;
using domain::Rejection;
using ports::LedgerError;

/// Passes each order on by itself, so that a bug can be planted before or after one.
class OneByOne : public test::LedgerDecorator {
public:
    using LedgerDecorator::LedgerDecorator;

    std::expected<void, LedgerError> place(
        std::span<const OrderRequest> batch, std::span<Outcome> outcomes
    ) override {
        const auto placed = inner_->place(batch, outcomes);
        if (!placed) return placed;
        for (std::size_t i = 0; i < batch.size(); ++i) spoil(batch[i], outcomes[i]);
        return placed;
    }

protected:
    virtual void spoil(const OrderRequest& request, Outcome& outcome) = 0;

    Outcome place_secretly(OrderRequest request) {
        request.key.reset();
        Outcome outcome;
        const auto placed = inner_->place({&request, 1}, {&outcome, 1});
        EXPECT_TRUE(placed.has_value());
        return outcome;
    }

    void release_secretly(const Outcome& outcome) {
        if (const auto* yes = std::get_if<Accepted>(&outcome)) {
            EXPECT_TRUE(inner_->release(yes->order.id, "secretly").has_value());
        }
    }

    static bool is(const Outcome& outcome, Rejection why) {
        const auto* no = std::get_if<Rejected>(&outcome);
        return no != nullptr && no->why == why;
    }
};

class BlindIncrementOnRelease final : public test::LedgerDecorator {
public:
    using LedgerDecorator::LedgerDecorator;

    std::expected<ports::Release, LedgerError> release(
        domain::OrderId order, std::string_view reason
    ) override {
        const auto result = inner_->release(order, reason);
        if (result == ports::Release::already_released) {
            domain::StockChange more;
            more.item = inner_->all_stock().front().item;
            more.operation = domain::StockOperation::add;
            more.quantity = 1;
            EXPECT_TRUE(inner_->change_stock(more).has_value());
        }
        return result;
    }
};

class ForgetsAKey final : public test::LedgerDecorator {
public:
    using LedgerDecorator::LedgerDecorator;

    std::expected<void, LedgerError> place(
        std::span<const OrderRequest> batch, std::span<Outcome> outcomes
    ) override {
        std::vector<OrderRequest> forgetful(batch.begin(), batch.end());
        for (OrderRequest& request : forgetful) {
            if (request.key && request.key->low % 8 == 0) request.key.reset();
        }
        return inner_->place(forgetful, outcomes);
    }
};

class DoubleDebitOnReplay final : public OneByOne {
public:
    using OneByOne::OneByOne;

private:
    void spoil(const OrderRequest& request, Outcome& outcome) override {
        const auto* yes = std::get_if<Accepted>(&outcome);
        if (yes != nullptr && yes->replayed) place_secretly(request);
    }
};

class GapInTheSequence final : public OneByOne {
public:
    using OneByOne::OneByOne;

private:
    void spoil(const OrderRequest& request, Outcome& outcome) override {
        if (std::holds_alternative<Accepted>(outcome) && ++accepted_ % 7 == 0) {
            release_secretly(place_secretly(request));
        }
    }

    int accepted_ = 0;
};

class SellsMoreThanIsLeft final : public OneByOne {
public:
    using OneByOne::OneByOne;

private:
    void spoil(const OrderRequest& request, Outcome& outcome) override {
        if (!is(outcome, Rejection::insufficient_stock)) return;
        OrderRequest less = request;
        less.quantity = static_cast<std::int32_t>(std::get<Rejected>(outcome).remaining);
        if (less.quantity == 0) return;
        outcome = place_secretly(less);
        if (auto* yes = std::get_if<Accepted>(&outcome)) yes->order.quantity = request.quantity;
    }
};

class IgnoresTheLimit final : public OneByOne {
public:
    using OneByOne::OneByOne;

private:
    void spoil(const OrderRequest& request, Outcome& outcome) override {
        if (!is(outcome, Rejection::user_limit_exceeded)) return;
        OrderRequest other = request;
        other.user = domain::UserId::from("stranger-" + std::to_string(++strangers_)).value();
        const Outcome said = place_secretly(other);
        if (!std::holds_alternative<Accepted>(said)) return;
        outcome = said;
        std::get<Accepted>(outcome).order.user = request.user;
    }

    int strangers_ = 0;
};

class AppliesBeforeAFailureAndDoesNotRevert final : public test::LedgerDecorator {
public:
    using LedgerDecorator::LedgerDecorator;

    std::expected<void, LedgerError> place(
        std::span<const OrderRequest> batch, std::span<Outcome> outcomes
    ) override {
        const auto placed = inner_->place(batch, outcomes);
        if (!placed) {
            EXPECT_TRUE(inner_->place(batch, outcomes).has_value());
        }
        return placed;
    }
};

class RemembersRefusals final : public OneByOne {
public:
    using OneByOne::OneByOne;

private:
    void spoil(const OrderRequest& request, Outcome& outcome) override {
        if (!request.key) return;
        const auto known = refused_.find(*request.key);
        if (known != refused_.end()) {
            outcome = known->second;
        } else if (std::holds_alternative<Rejected>(outcome)) {
            refused_.emplace(*request.key, outcome);
        }
    }

    std::map<domain::KeyHash, Outcome> refused_;
};

class SellsAtTheClosingInstant final : public OneByOne {
public:
    using OneByOne::OneByOne;

private:
    void spoil(const OrderRequest& request, Outcome& outcome) override {
        if (!is(outcome, Rejection::sale_closed)) return;
        const Rejected no = std::get<Rejected>(outcome);
        if (no.at != no.decided_at) return;
        domain::StockChange open;
        open.item = request.item;
        open.operation = domain::StockOperation::add;
        open.closes_at = std::optional<domain::WallTime>{};
        EXPECT_TRUE(inner_->change_stock(open).has_value());
        outcome = place_secretly(request);
        open.closes_at = no.at;
        EXPECT_TRUE(inner_->change_stock(open).has_value());
    }
};

class LosesAnAcceptedOrder final : public OneByOne {
public:
    using OneByOne::OneByOne;

private:
    void spoil(const OrderRequest&, Outcome& outcome) override {
        if (std::holds_alternative<Accepted>(outcome) && ++accepted_ % 11 == 0) {
            release_secretly(outcome);
        }
    }

    int accepted_ = 0;
};

class TakesAnotherPayloadForARepeat final : public OneByOne {
public:
    using OneByOne::OneByOne;

private:
    void spoil(const OrderRequest& request, Outcome& outcome) override {
        if (!is(outcome, Rejection::idempotency_key_reused)) return;
        if (std::get<Rejected>(outcome).item_differs) outcome = place_secretly(request);
    }
};

class LetsTheLastOfABatchOvertake final : public test::LedgerDecorator {
public:
    using LedgerDecorator::LedgerDecorator;

    std::expected<void, LedgerError> place(
        std::span<const OrderRequest> batch, std::span<Outcome> outcomes
    ) override {
        std::vector<OrderRequest> turned(batch.rbegin(), batch.rend());
        const auto placed = inner_->place(turned, outcomes);
        std::reverse(outcomes.begin(), outcomes.end());
        return placed;
    }
};

template <typename Bug>
class PlantedBug : public ::testing::Test {};

using Bugs = ::testing::Types<
    BlindIncrementOnRelease,
    ForgetsAKey,
    DoubleDebitOnReplay,
    GapInTheSequence,
    SellsMoreThanIsLeft,
    IgnoresTheLimit,
    AppliesBeforeAFailureAndDoesNotRevert,
    RemembersRefusals,
    SellsAtTheClosingInstant,
    LosesAnAcceptedOrder,
    TakesAnotherPayloadForARepeat,
    LetsTheLastOfABatchOvertake>;
TYPED_TEST_SUITE(PlantedBug, Bugs);

constexpr std::uint64_t seeds_max = 50;

TYPED_TEST(PlantedBug, IsCaughtWithinAFewSeeds) {
    for (std::uint64_t seed = 1; seed <= seeds_max; ++seed) {
        std::vector<std::unique_ptr<Subject>> subjects;
        subjects.push_back(std::make_unique<MemorySubject<TypeParam>>());
        if (first_difference(seed, subjects)) {
            this->RecordProperty("seed", static_cast<int>(seed));
            return;
        }
    }
    FAIL() << "not caught within " << seeds_max << " seeds";
}

TEST(PlantedBugs, WithoutOneNothingIsCaught) {
    for (std::uint64_t seed = 1; seed <= 4 * seeds_max; ++seed) {
        std::vector<std::unique_ptr<Subject>> subjects;
        subjects.push_back(std::make_unique<MemorySubject<>>());
        const auto difference = first_difference(seed, subjects);
        ASSERT_FALSE(difference.has_value()) << "seed " << seed << ": " << *difference;
    }
}

}  // namespace
}  // namespace firstcome::simulation
