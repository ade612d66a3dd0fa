// src/adapters/redis/failure.hpp - why a command has no answer, as the caller's next move
#pragma once

#include "adapters/redis/reply.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace firstcome::redis {

enum class CommandError : std::uint8_t {
    not_sent,         // nothing happened: try again after a pause
    outcome_unknown,  // sent, and no whole answer came: look up what happened before anything else
    refused,          // the server said no, and will again: `text` says why
};

struct Failure {
    CommandError error = CommandError::not_sent;
    std::string text{};  ///< the server's own words, or ours; never a password
    /// The server's certificate does not hold: not worth waiting for, at a start.
    bool distrusted = false;

    /// `OOM`, `NOPERM`, `WRONGPASS`, `ERR`, ...: the first word of what the server said.
    [[nodiscard]] std::string_view code() const { return code_of(text); }
};

/// The next move after an error the server answered: `not_sent` when it cannot now and executed
/// nothing (LOADING, BUSY, ...), else `refused`.
[[nodiscard]] CommandError error_of(std::string_view server_text);

template <typename T>
using Result = std::expected<T, Failure>;

}  // namespace firstcome::redis
