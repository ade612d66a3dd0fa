// src/adapters/webhook/signature.hpp - signs messages so that a receiver knows who sent them
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::webhook {

/// Holds one secret, or two while one replaces the other: then each message carries both signatures
/// and a receiver that knows either of them accepts it.
///
/// Thread   any (immutable)
/// Source   Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, secrets as `whsec_<base64>`
class Signer {
public:
    static constexpr std::size_t secret_bytes_min = 24;
    static constexpr std::size_t secret_bytes_max = 64;
    static constexpr std::size_t secrets_max = 2;

    /// Secrets apart by white space.
    ///
    /// Errors   a sentence that says what is wrong and never shows a secret
    [[nodiscard]] static std::expected<Signer, std::string> from(std::string_view text);
    [[nodiscard]] static std::expected<Signer, std::string> from_file(
        const std::filesystem::path& path
    );

    /// The value of `webhook-signature`; `timestamp` in seconds since 1970.
    [[nodiscard]] std::string sign(
        std::string_view id, std::int64_t timestamp, std::string_view body
    ) const;

private:
    explicit Signer(std::vector<std::string> keys) : keys_(std::move(keys)) {}

    std::vector<std::string> keys_;  // decoded
};

}  // namespace firstcome::webhook
