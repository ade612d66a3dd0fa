// src/telemetry/alert_board.hpp - from findings to alerts: one per crossing, begin and end
#pragma once

#include "base/time.hpp"
#include "ports/alert.hpp"
#include "telemetry/alert_rules.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firstcome::telemetry {

/// How long something must be found before it fires, and not be found before it is over.
struct AlertPatience {
    std::chrono::milliseconds before{};
    std::chrono::milliseconds after{};
};

[[nodiscard]] AlertPatience patience(ports::AlertKind kind);

/// Remembers what fires. Nothing of it survives the process: after a restart what is still so
/// fires anew.
///
/// Thread   one
class AlertBoard {
public:
    static constexpr std::size_t alerts_max = 2000;  ///< at one time; beyond it none begins

    /// `instance`: the name of this node.
    explicit AlertBoard(std::string instance) : instance_(std::move(instance)) {}

    /// Takes the findings of one look, later than the one before. Returns the alerts that are over.
    [[nodiscard]] std::vector<ports::Alert> look(
        std::span<const Finding> findings, base::MonotonicTime now, base::WallTime wall
    );

    /// In the order of their kinds, then of what they are about.
    [[nodiscard]] std::vector<ports::Alert> firing() const;

    /// Alerts that did not begin because too many fired.
    [[nodiscard]] std::uint64_t suppressed() const { return suppressed_; }

private:
    struct Entry {
        ports::Alert alert;
        bool firing = false;
        base::MonotonicTime found_first{};
        base::MonotonicTime found_last{};
    };

    void take(const Finding& finding, base::MonotonicTime now, base::WallTime wall);

    std::string instance_;
    std::map<std::pair<ports::AlertKind, std::string>, Entry> entries_;
    std::uint64_t suppressed_ = 0;
};

}  // namespace firstcome::telemetry
