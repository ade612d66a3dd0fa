// src/telemetry/process_families.cpp - what every exporter tells of its own process, from /proc
#include "telemetry/families.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <unistd.h>

namespace firstcome::telemetry {

namespace {

struct Stat {
    double cpu_seconds = 0;
    double threads = 0;
    double started_seconds = 0;  // after the machine's boot
    double virtual_bytes = 0;
    double resident_bytes = 0;
};

/// Source   proc(5): the fields after the command's name, which may hold spaces and parentheses
Stat read_stat() {
    std::ifstream in{"/proc/self/stat"};
    std::string text;
    std::getline(in, text);
    const auto name_end = text.rfind(')');
    if (name_end == std::string::npos) return {};
    std::istringstream fields{text.substr(name_end + 1)};
    std::string state;
    fields >> state;
    std::vector<double> numbers;  // numbers[0] is field 4
    for (double number = 0; fields >> number;) numbers.push_back(number);
    constexpr std::size_t utime = 14 - 4;
    constexpr std::size_t stime = 15 - 4;
    constexpr std::size_t num_threads = 20 - 4;
    constexpr std::size_t starttime = 22 - 4;
    constexpr std::size_t vsize = 23 - 4;
    constexpr std::size_t rss = 24 - 4;
    if (numbers.size() <= rss) return {};
    const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
    return {
        .cpu_seconds = (numbers[utime] + numbers[stime]) / ticks_per_second,
        .threads = numbers[num_threads],
        .started_seconds = numbers[starttime] / ticks_per_second,
        .virtual_bytes = numbers[vsize],
        .resident_bytes = numbers[rss] * static_cast<double>(sysconf(_SC_PAGESIZE)),
    };
}

double boot_time_seconds() {
    std::ifstream in{"/proc/stat"};
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("btime ")) return std::stod(line.substr(6));
    }
    return 0;
}

double open_descriptors() {
    std::error_code error;
    double count = 0;
    std::filesystem::directory_iterator entry{"/proc/self/fd", error};
    while (!error && entry != std::filesystem::directory_iterator{}) {
        ++count;
        entry.increment(error);
    }
    return count > 0 ? count - 1 : 0;  // the one this look itself has open
}

}  // namespace

void add_process_families(Families& out) {
    static const double boot_time = boot_time_seconds();
    const Stat stat = read_stat();
    rlimit descriptors{};
    getrlimit(RLIMIT_NOFILE, &descriptors);

    begin_counter(out, "process_cpu_seconds_total", "CPU time spent, user and system.");
    add_value(out, stat.cpu_seconds);
    begin_gauge(out, "process_resident_memory_bytes", "Memory that is in RAM.");
    add_value(out, stat.resident_bytes);
    begin_gauge(out, "process_virtual_memory_bytes", "Memory that is mapped.");
    add_value(out, stat.virtual_bytes);
    begin_gauge(out, "process_open_fds", "Open file descriptors.");
    add_value(out, open_descriptors());
    begin_gauge(out, "process_max_fds", "The most file descriptors there may be.");
    add_value(out, static_cast<double>(descriptors.rlim_cur));
    begin_gauge(out, "process_start_time_seconds", "When the process started, since 1970.");
    add_value(out, boot_time + stat.started_seconds);
    begin_gauge(out, "process_threads", "Threads.");
    add_value(out, stat.threads);
}

}  // namespace firstcome::telemetry
