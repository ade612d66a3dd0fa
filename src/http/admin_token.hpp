// src/http/admin_token.hpp - who may change stock: the bearer token, and the file it lives in
#pragma once

#include "base/entropy.hpp"

#include <cstddef>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome::http {

/// Why there is no token; `text` tells an operator what to do. The service must not start.
struct TokenError {
    std::string text;
};

class AdminToken {
public:
    /// `token` is 1..admin_token_size_max visible ASCII characters.
    explicit AdminToken(std::string token);

    /// Whether `presented` is the token; takes as long for a near miss as for a far one.
    ///
    /// Thread   any (immutable)
    /// Source   CRYPTO_memcmp
    [[nodiscard]] bool matches(std::string_view presented) const;

    [[nodiscard]] const std::string& text() const { return token_; }

private:
    std::string token_;
};

inline constexpr std::size_t admin_token_size_min = 16;    ///< characters of one in a file
inline constexpr std::size_t admin_token_size_max = 4096;  ///< bytes of the file

inline constexpr std::size_t bearer_token_size_max = std::size_t{16} * 1024;  ///< bytes

/// The token inside `Authorization: Bearer <token>`; nothing for another scheme or none.
///
/// Source   RFC 6750, section 2.1; the scheme's case does not matter (RFC 9110)
[[nodiscard]] std::optional<std::string_view> bearer_token(std::string_view authorization);

/// Reads the token; refuses a file that others may read, that is empty, or that holds no token or a
/// short one.
[[nodiscard]] std::expected<AdminToken, TokenError> load_admin_token(
    const std::filesystem::path& file
);

/// The same, after making the file (mode 0600, 32 random bytes as hex, durable) if there is none.
[[nodiscard]] std::expected<AdminToken, TokenError> load_or_create_admin_token(
    const std::filesystem::path& file, base::Entropy& entropy
);

}  // namespace firstcome::http
