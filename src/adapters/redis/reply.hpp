// src/adapters/redis/reply.hpp - what Redis answered, as a value, and the reader that makes it
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct redisReader;

namespace firstcome::redis {

/// One answer (RESP2). An array keeps its items in one block; a text of up to 15 bytes needs no
/// memory of its own.
struct Reply {
    enum class Kind : std::uint8_t { nil, status, error, integer, text, array };

    Kind kind = Kind::nil;
    std::int64_t integer = 0;    ///< of an integer
    std::string text{};          ///< of a status, an error or a text
    std::vector<Reply> items{};  ///< of an array

    [[nodiscard]] bool is(Kind other) const { return kind == other; }

    /// A text or a status that reads so.
    [[nodiscard]] bool says(std::string_view expected) const;
};

/// The first word of an error's text, which Redis uses as a code: `NOSCRIPT`, `OOM`, `ERR`.
[[nodiscard]] std::string_view code_of(std::string_view error_text);

/// Largest answer taken, in bytes; beyond it the connection is given up.
inline constexpr std::size_t reply_bytes_max = std::size_t{256} << 20U;
/// Most items of one array.
inline constexpr std::size_t reply_items_max = std::size_t{1} << 22U;

/// Turns received bytes into replies. After an error it is of no use any more.
///
/// Source   hiredis 0.14 "Reply parsing API"; at most 8 arrays within one another
class ReplyReader {
public:
    explicit ReplyReader(std::size_t bytes_max = reply_bytes_max);

    /// The next whole reply; nothing: more bytes are needed. The error says what is wrong.
    [[nodiscard]] std::expected<std::optional<Reply>, std::string> next();
    void feed(std::span<const char> bytes);

private:
    struct Free {
        void operator()(redisReader* reader) const;
    };

    std::unique_ptr<redisReader, Free> reader_;
    std::size_t bytes_max_;
    std::size_t unfinished_bytes_ = 0;  // fed since the last whole reply
};

}  // namespace firstcome::redis
