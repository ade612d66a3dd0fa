// src/ports/dead_letters.cpp - the pace of a redrive, the same for every table of dead letters
#include "ports/dead_letters.hpp"

#include <algorithm>
#include <chrono>

namespace firstcome::ports {

std::uint64_t allowance(const RedriveTask& task, domain::WallTime now) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now - task.started_at).count();
    const auto begun = static_cast<std::uint64_t>(std::max<std::int64_t>(seconds, 0)) + 1;
    const std::uint64_t until_now = begun * task.per_second;
    return until_now > task.moved ? until_now - task.moved : 0;
}

}  // namespace firstcome::ports
