// src/resilience/circuit_breakers.hpp - the breakers by name: `redis`, `postgres`, `webhook`
#pragma once

#include "resilience/circuit_breaker.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firstcome::resilience {

/// Made once by wiring; lives longer than whoever uses a breaker of it.
///
/// Thread   add: main, before others start; the rest: any
class CircuitBreakers {
public:
    explicit CircuitBreakers(CircuitBreaker::Listener listener = {})
        : listener_(std::move(listener)) {}

    CircuitBreaker& add(
        std::string name, const BreakerOptions& options, std::unique_ptr<base::Entropy> chance
    ) {
        return *all_.emplace_back(
            std::make_unique<CircuitBreaker>(std::move(name), options, std::move(chance), listener_)
        );
    }

    /// Null: no such breaker.
    [[nodiscard]] CircuitBreaker* find(std::string_view name) const {
        for (const auto& breaker : all_) {
            if (breaker->name() == name) return breaker.get();
        }
        return nullptr;
    }

    /// In the order they were added.
    [[nodiscard]] const std::vector<std::unique_ptr<CircuitBreaker>>& all() const { return all_; }

private:
    CircuitBreaker::Listener listener_;
    std::vector<std::unique_ptr<CircuitBreaker>> all_;
};

}  // namespace firstcome::resilience
