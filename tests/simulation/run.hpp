// tests/simulation/run.hpp - one seed: random steps against a model and every ledger given
#pragma once

#include "base/hash.hpp"
#include "ports/order_ledger.hpp"
#include "ports/order_store.hpp"
#include "tests/simulation/model.hpp"
#include "tests/support/manual.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::simulation {

inline constexpr std::chrono::seconds key_ttl{61};

/// A ledger under test, with its store, its clock and what can happen to it.
class Subject {
public:
    Subject() = default;
    Subject(const Subject&) = delete;
    Subject& operator=(const Subject&) = delete;
    virtual ~Subject() = default;

    virtual std::string_view name() const = 0;
    virtual ports::OrderLedger& ledger() = 0;
    virtual ports::OrderStore& store() = 0;
    virtual test::ManualClock& clock() = 0;
    virtual const base::KeyedHash& hash() = 0;

    /// Closes and opens again, where something outlives that.
    virtual void restart() {}

    /// Does the work, whose write fails for want of room.
    virtual void without_room(const std::function<void()>& work) = 0;
};

/// Nothing: every subject agreed with the model on every answer and every figure. Else the first
/// difference, in words.
///
/// Restarts and steps of the wall clock alone never meet in one seed: after a restart a key's age
/// is told by the wall clock, which only the ledger that was restarted then sees.
[[nodiscard]] std::optional<std::string> first_difference(
    std::uint64_t seed, const std::vector<std::unique_ptr<Subject>>& subjects
);

}  // namespace firstcome::simulation
