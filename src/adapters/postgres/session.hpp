// src/adapters/postgres/session.hpp - what opening and using a session share: words and time
#pragma once

#include "base/time.hpp"

#include <string>
#include <string_view>

namespace firstcome::postgres {

inline constexpr std::string_view lost = "the connection to PostgreSQL was lost";
inline constexpr std::string_view too_slow = "PostgreSQL did not answer in time";

/// A socket waits in real time, whatever a test's clock says.
[[nodiscard]] inline base::MonotonicTime now() {
    return base::SystemClock{}.monotonic();
}

/// Without the line ends that libpq puts behind its texts.
[[nodiscard]] inline std::string trimmed(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
    return std::string(text);
}

}  // namespace firstcome::postgres
