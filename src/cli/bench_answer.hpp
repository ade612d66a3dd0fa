// src/cli/bench_answer.hpp - what the load generator reads of an HTTP answer
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>
#include <vector>

namespace firstcome::cli {

/// One HTTP answer; the views point into the bytes it was read from.
struct Answer {
    int status = 0;
    bool replayed = false;  ///< Idempotent-Replayed: true
    bool closes = false;    ///< Connection: close
    std::string_view body{};
    std::size_t size = 0;  ///< bytes of head and body together
};

enum class AnswerError : std::uint8_t {
    not_http,   // the peer speaks something else: give up the connection
    no_length,  // an answer without Content-Length cannot be told from the next one: give up
};

/// Reads the answer at the front of `bytes`; nothing when it is not complete yet.
[[nodiscard]] std::expected<std::optional<Answer>, AnswerError> answer_at_front(
    std::string_view bytes
);

/// The value of a member, quotes taken off, found by name in a flat JSON object made by a machine;
/// empty when it is not there.
[[nodiscard]] std::string_view json_member(std::string_view object, std::string_view name);
[[nodiscard]] std::optional<std::int64_t> json_integer(
    std::string_view object, std::string_view name
);

/// The objects of the first array in `body`, in order.
void json_elements(std::string_view body, std::vector<std::string_view>& out);

/// What one order was answered; the views point into the answer.
struct OrderAnswer {
    int status = 0;
    std::string_view code{};      ///< of the problem; empty when accepted
    std::string_view order_id{};  ///< empty unless accepted
    std::uint64_t sequence = 0;
    std::string_view accepted_at{};
    bool replayed = false;
    std::uint64_t body_hash = 0;  ///< XXH3, 64 bits, of the body's bytes

    [[nodiscard]] bool accepted() const { return status == 202; }

    /// Whether the buyer knows for good: anything else is asked again under the same key.
    [[nodiscard]] bool definite() const;
};

[[nodiscard]] OrderAnswer order_answer(const Answer& answer);
/// Of one element of the answer to orders:batch: `{status,idempotentReplayed,order:{...}}` or
/// `{status,problem:{...}}`; the hash is that of the inner order.
[[nodiscard]] OrderAnswer order_answer(std::string_view element);

}  // namespace firstcome::cli
