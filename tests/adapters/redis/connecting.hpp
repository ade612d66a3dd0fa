// tests/adapters/redis/connecting.hpp - connections as the tests of the transport make them
#pragma once

#include "adapters/redis/connection.hpp"
#include "base/time.hpp"

#include <chrono>
#include <cstdint>
#include <poll.h>
#include <string>
#include <utility>

namespace firstcome::redis {

using namespace std::chrono_literals;

inline const base::SystemClock real_clock;

[[nodiscard]] inline ConnectionOptions options_for(const std::string& url) {
    return {.url = parse_url(url).value()};
}

[[nodiscard]] inline std::string local(std::uint16_t port) {
    return "127.0.0.1:" + std::to_string(port);
}

[[nodiscard]] inline std::string text_of(const Result<Reply>& reply) {
    if (!reply) return "failed: " + reply.error().text;
    return reply->is(Reply::Kind::integer) ? std::to_string(reply->integer) : reply->text;
}

/// Tries as a caller with patience would: again after a pause, as long as nothing was executed.
template <typename Attempt>
[[nodiscard]] auto try_for(std::chrono::milliseconds patience, const Attempt& attempt) {
    const auto end = real_clock.monotonic() + patience;
    while (true) {
        auto result = attempt();
        if (result || result.error().error == CommandError::refused) return result;
        if (real_clock.monotonic() > end) return result;
        ::poll(nullptr, 0, 20);
    }
}

}  // namespace firstcome::redis
