// src/cli/bench_cpu.cpp - CPU times from /proc and the kernel's own count
#include "cli/bench_cpu.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

namespace firstcome::cli {

using std::chrono::nanoseconds;

std::optional<nanoseconds> cpu_of_process(int pid) {
    std::ifstream file{fmt::format("/proc/{}/stat", pid)};
    std::string text;
    if (!std::getline(file, text)) return std::nullopt;
    // The name stands in parentheses and may hold spaces: count from behind it.
    std::istringstream rest{text.substr(std::min(text.rfind(')'), text.size() - 1) + 1)};
    std::vector<std::string> fields{
        std::istream_iterator<std::string>{rest}, std::istream_iterator<std::string>{}};
    constexpr std::size_t user_time = 11;
    if (fields.size() <= user_time + 1) return std::nullopt;
    const std::int64_t ticks = std::stoll(fields[user_time]) + std::stoll(fields[user_time + 1]);
    return nanoseconds{ticks * (1'000'000'000 / ::sysconf(_SC_CLK_TCK))};
}

nanoseconds cpu_of_this_process() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto time = [](const timeval& value) {
        return std::chrono::seconds{value.tv_sec} + std::chrono::microseconds{value.tv_usec};
    };
    return time(usage.ru_utime) + time(usage.ru_stime);
}

}  // namespace firstcome::cli
