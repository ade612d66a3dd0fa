// tests/fuzz/jwt_fuzz.cpp - whatever the bytes: no buyer without a signature, and no crash
#include "base/assert.hpp"
#include "http/jwt.hpp"

#include <openssl/hmac.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using namespace firstcome;

constexpr std::string_view secret = "a secret that no fuzzer will guess";

std::string base64url(std::string_view bytes) {
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string out;
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : bytes) {
        bits = bits << 8U | static_cast<unsigned char>(c);
        for (held += 8; held >= 6;) {
            held -= 6;
            out += alphabet[bits >> held & 63U];
        }
    }
    if (held > 0) out += alphabet[bits << (6 - held) & 63U];
    return out;
}

/// What an issuer would sign, so that the claims behind the signature are reached too.
std::string signed_by_us(std::string_view payload) {
    std::string token = base64url(R"({"alg":"HS256"})") + "." + base64url(payload);
    std::array<unsigned char, 32> made{};
    HMAC(
        EVP_sha256(),
        secret.data(),
        static_cast<int>(secret.size()),
        reinterpret_cast<const unsigned char*>(token.data()),
        token.size(),
        made.data(),
        nullptr
    );
    return token + "." + base64url({reinterpret_cast<const char*>(made.data()), made.size()});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(bytes), size};
    const http::JwtKeys keys{http::JwtKey::of_secret("k", std::string(secret))};
    const base::WallTime now{std::chrono::hours{24 * 365 * 56}};
    FC_ASSERT(!http::verify_jwt(text, keys, {}, now));
    const auto claims = http::verify_jwt(signed_by_us(text), keys, {}, now);
    if (claims) {
        FC_ASSERT(claims->expires > now);
        FC_ASSERT(
            text.find("sub") != std::string_view::npos || text.find('\\') != std::string_view::npos
        );
    }
    if (const auto decoded = http::base64url_decoded(text)) FC_ASSERT(base64url(*decoded) == text);
    static_cast<void>(http::jwt_keys_of_set(text));
    static_cast<void>(http::jwt_keys_of_pem(text));
    return 0;
}
