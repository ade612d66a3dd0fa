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

/// Public halves of keys made once for this file; nobody has the private ones any more.
constexpr std::string_view public_keys = R"(
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAlBycwaRwnIw+A4X5TmV+
x4ENq0qVTqeY3JoBZf57Ot4yLbAj8zqpZd2pZP7dw0s/feDsCnkECYKz1UrV8cA2
CEhazTHOjI3vM1PnpOP9QH4yuGpIR5n5cR3oTO2nAioq9RKHmd0xnL5WZ0S6r4Cf
gx9omzEtdmzUqFTHpbAbT4pdyU+oJOJq/30lJ2Cxj1afowVwwak4iiRayF7yJHS3
pRKSXL5iFy770KWm6W+Irbh9nrCnOO/m4Cbql62iSr6QQLUMDFivYzWjzECsloHD
YqGO+CtzeNCcz6lmf86FhDLDsCMZVSX26YkghM4qKWCHJN2KRaj9NDCPN4hrVbAE
tQIDAQAB
-----END PUBLIC KEY-----
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEotaclKs5pz1cPa/+JQiIhb6yozN/
bATvqFhVMIwTuA6Xw/5Iez6bDkXWKDjV8N/dxsl7YS9MXCrHQ0VbnH4dew==
-----END PUBLIC KEY-----
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA/xbxVrhEvQLTuowkoLT2wWMiXD/mEDFs2FK9MNjavE0=
-----END PUBLIC KEY-----
)";

http::JwtKeys keys_of_all_kinds() {
    auto keys = http::jwt_keys_of_pem(public_keys);
    FC_ASSERT(keys && keys->size() == 3);
    keys->push_back(http::JwtKey::of_secret("k", std::string(secret)));
    return *std::move(keys);
}

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

/// Good claims, and as their signature whatever the bytes are.
std::string with_signature(std::string_view algorithm, std::string_view signature) {
    const std::string header = R"({"alg":")" + std::string(algorithm) + R"("})";
    const std::string claims = R"({"sub":"u1","exp":4000000000})";
    return base64url(header) + "." + base64url(claims) + "." + base64url(signature);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(bytes), size};
    static const http::JwtKeys keys = keys_of_all_kinds();
    const base::WallTime now{std::chrono::hours{24 * 365 * 56}};
    FC_ASSERT(!http::verify_jwt(text, keys, {}, now));
    for (const http::JwtKey& key : keys) {
        FC_ASSERT(!key.signed_by("header.payload", text));
        FC_ASSERT(!http::verify_jwt(with_signature(name(key.algorithm()), text), keys, {}, now));
    }
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
