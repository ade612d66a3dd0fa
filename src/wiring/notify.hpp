// src/wiring/notify.hpp - what the service tells systemd, or another supervisor that speaks so
#pragma once

#include "base/time.hpp"

#include <chrono>
#include <optional>
#include <string_view>

namespace firstcome::wiring {

/// Without NOTIFY_SOCKET nobody listens, and nothing happens.
///
/// Thread   any
/// Source   sd_notify(3), systemd.service(5) "Type=notify" and "Type=notify-reload"

/// The start is over.
void notify_ready(std::string_view status);
/// The configuration is read again; `notify_ready` says that it is over, however it went.
void notify_reloading(base::MonotonicTime now, std::string_view status);
/// The end has begun.
void notify_stopping(std::string_view status);
/// A line for `systemctl status`.
void notify_status(std::string_view status);
/// The watchdog's: whoever does not hear it in time starts us again.
void notify_alive();
/// How often `notify_alive` must be heard; nothing: nobody waits for it.
[[nodiscard]] std::optional<std::chrono::microseconds> notify_alive_within();

}  // namespace firstcome::wiring
