// src/http/jwt.hpp - whom a buyer's token names, if it holds
#pragma once

#include "base/time.hpp"
#include "domain/types.hpp"
#include "http/jwt_keys.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace firstcome::http {

/// Why a token names nobody. The enumerator is the log field; its sentence goes to the client.
enum class TokenFault : std::uint8_t {
    missing,          // there is no token at all
    malformed,        // not header.payload.signature of strict JSON, or too long
    not_supported,    // an algorithm, type or critical extension that is not ours: `none` too
    unknown_key,      // no key of that id and algorithm
    bad_signature,    // none of the keys it may be signed with did
    no_expiry,        // a token without `exp` would hold for ever
    expired,          // the client gets a new one
    not_yet_valid,    // clocks differ by more than the leeway
    wrong_issuer,     // not auth.issuer
    wrong_audience,   // meant for somebody else
    invalid_subject,  // `sub` is no user id
};
inline constexpr std::array token_faults{
    TokenFault::missing,
    TokenFault::malformed,
    TokenFault::not_supported,
    TokenFault::unknown_key,
    TokenFault::bad_signature,
    TokenFault::no_expiry,
    TokenFault::expired,
    TokenFault::not_yet_valid,
    TokenFault::wrong_issuer,
    TokenFault::wrong_audience,
    TokenFault::invalid_subject,
};
[[nodiscard]] std::string_view name(TokenFault fault);
/// A sentence without quotes or backslashes: it stands in a header.
[[nodiscard]] std::string_view sentence(TokenFault fault);

inline constexpr std::size_t jwt_size_max = std::size_t{8} * 1024;  ///< bytes of a token

struct JwtRules {
    std::string issuer;    ///< what `iss` must be; empty: anything
    std::string audience;  ///< what `aud` must hold; empty: a token with an `aud` is refused
    std::chrono::milliseconds leeway{30'000};  ///< by how much clocks may differ
};

struct VerifiedToken {
    domain::UserId user;
    base::WallTime expires;  ///< leeway included
};

/// Signature first, claims after: nothing in a token is believed before its signature holds, but
/// for which of our own keys to try.
///
/// Source   RFC 7519; RFC 8725 for what is refused
[[nodiscard]] std::expected<VerifiedToken, TokenFault> verify_jwt(
    std::string_view token, const JwtKeys& keys, const JwtRules& rules, base::WallTime now
);

}  // namespace firstcome::http
