// tests/telemetry/alert_receivers.hpp - a receiver of alerts that remembers, and fails when told to
#pragma once

#include "ports/alert.hpp"

#include <deque>
#include <expected>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::test {

/// What one or more receivers heard; outlives them.
struct HeardAlerts {
    /// Each call: `StockLow(shoe)` for one that fires, `-StockLow(shoe)` for one that is over.
    std::vector<std::vector<std::string>> calls;
    std::deque<ports::AlertFault> faults;  ///< for the next calls
};

class TestAlertReceiver final : public ports::AlertReceiver {
public:
    explicit TestAlertReceiver(HeardAlerts& heard) : heard_(heard) {}

    [[nodiscard]] std::expected<void, ports::AlertFault> tell(std::span<const ports::Alert> alerts
    ) override {
        if (!heard_.faults.empty()) {
            auto fault = std::move(heard_.faults.front());
            heard_.faults.pop_front();
            return std::unexpected(std::move(fault));
        }
        auto& call = heard_.calls.emplace_back();
        for (const ports::Alert& alert : alerts) {
            call.push_back(
                (alert.ends_at ? "-" : "") + std::string{name(alert.kind)} + "(" + alert.subject +
                ")"
            );
        }
        return {};
    }

    void stop() override {}

private:
    HeardAlerts& heard_;
};

}  // namespace firstcome::test
