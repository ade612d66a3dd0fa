// src/wiring/notify.cpp - what the service tells systemd, or another supervisor that speaks so
#include "wiring/notify.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <systemd/sd-daemon.h>

namespace firstcome::wiring {

namespace {

// Nobody can be told that nobody could be told: a supervisor that hears nothing acts by itself.
void tell(const std::string& state) {
    static_cast<void>(::sd_notify(0, state.c_str()));
}

}  // namespace

void notify_ready(std::string_view status) {
    tell(fmt::format("READY=1\nSTATUS={}", status));
}

// By the time systemd tells this reload from an earlier one.
void notify_reloading(base::MonotonicTime now, std::string_view status) {
    const auto since = std::chrono::floor<std::chrono::microseconds>(now.time_since_epoch());
    tell(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS={}", since.count(), status));
}

void notify_stopping(std::string_view status) {
    tell(fmt::format("STOPPING=1\nSTATUS={}", status));
}

void notify_status(std::string_view status) {
    tell(fmt::format("STATUS={}", status));
}

void notify_alive() {
    tell("WATCHDOG=1");
}

std::optional<std::chrono::microseconds> notify_alive_within() {
    std::uint64_t microseconds = 0;
    if (::sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
    return std::chrono::microseconds{static_cast<std::int64_t>(microseconds)};
}

}  // namespace firstcome::wiring
