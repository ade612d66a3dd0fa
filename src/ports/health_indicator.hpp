// src/ports/health_indicator.hpp - the port of whoever can tell whether one thing is well
#pragma once

#include "base/time.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace firstcome::ports {

/// From the worst to the least telling: of several, the first one here speaks for all.
///
/// Source   Spring Boot Actuator, SimpleStatusAggregator
enum class HealthStatus : std::uint8_t {
    down,            // it does not do its work
    out_of_service,  // it is well, and told not to work
    up,
    unknown,  // nobody can tell now; never makes a whole look bad
};
/// `DOWN`, `OUT_OF_SERVICE`, `UP`, `UNKNOWN`
[[nodiscard]] std::string_view name(HealthStatus status);

/// What the worst of them says; of none: unknown.
[[nodiscard]] HealthStatus worse(HealthStatus a, HealthStatus b);

struct HealthDetail {
    std::string name;  ///< as a JSON member: `oldestAgeSeconds`
    std::variant<bool, std::int64_t, double, std::string> value;
};

/// How something is, and what an operator wants to know about it. Details are for operators only.
struct Health {
    HealthStatus status = HealthStatus::unknown;
    std::vector<HealthDetail> details;
};

/// With the sentence that says why; it is the first detail, `reason`.
[[nodiscard]] Health health_because(HealthStatus status, std::string reason);

/// Looks at one thing. What does not implement it is not in /actuator/health.
///
/// Thread   `check` one at a time, `fc-health` or a test's; the rest any
class HealthIndicator {
public:
    HealthIndicator() = default;
    HealthIndicator(const HealthIndicator&) = delete;
    HealthIndicator& operator=(const HealthIndicator&) = delete;
    virtual ~HealthIndicator() = default;

    /// The component's name in the answer: `diskSpace`. The same all its life.
    [[nodiscard]] virtual std::string_view name() const = 0;

    /// How long `check` may take; 0: it waits for nothing outside the process. One that takes
    /// longer is shown as down until it answers, and is waited for.
    [[nodiscard]] virtual std::chrono::milliseconds deadline() const { return {}; }

    [[nodiscard]] virtual Health check() = 0;

    /// The service ends: a check that waits comes back soon, whatever it says. Thread: any
    virtual void cancel() {}
};

}  // namespace firstcome::ports
