// src/cli/bench_report.hpp - what a run came to, for people and for scripts
#pragma once

#include "cli/bench_audit.hpp"
#include "cli/bench_options.hpp"
#include "cli/bench_witness.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace firstcome::cli {

struct BenchResult {
    const BenchOptions& options;
    const Naming& naming;
    const Witness& seen;
    std::chrono::nanoseconds elapsed{0};  ///< from the first call to the last answer
    std::chrono::nanoseconds client_cpu{0};
    std::optional<std::chrono::nanoseconds> server_cpu{};
    std::vector<AuditLine> audit{};
    bool interrupted = false;

    [[nodiscard]] bool all_well() const;
};

[[nodiscard]] std::string summary_text(const BenchResult& result);

/// One object; times in microseconds, rates per second. Members are only ever added.
[[nodiscard]] std::string summary_json(const BenchResult& result);

/// One line while the load runs. `remaining`: units, when known.
[[nodiscard]] std::string progress_line(
    std::span<const std::unique_ptr<Witness>> witnesses,
    std::chrono::nanoseconds elapsed,
    double answers_per_second,
    std::optional<std::int64_t> remaining
);

}  // namespace firstcome::cli
