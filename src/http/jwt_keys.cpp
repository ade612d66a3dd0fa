// src/http/jwt_keys.cpp - one key: which algorithm it is for, and whether it signed something
#include "http/jwt_keys.hpp"

#include "base/assert.hpp"

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>

#include <utility>

namespace firstcome::http {

namespace {

constexpr std::size_t es256_part_size = 32;  // bytes of r and of s

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

/// OpenSSL wants ECDSA signatures as DER, tokens carry r and s side by side. Empty: not of the one
/// size they have.
std::string der_of(std::string_view signature) {
    if (signature.size() != 2 * es256_part_size) return {};
    const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> parts{
        ECDSA_SIG_new(), ECDSA_SIG_free};
    BIGNUM* r = BN_bin2bn(bytes_of(signature), es256_part_size, nullptr);
    BIGNUM* s = BN_bin2bn(bytes_of(signature) + es256_part_size, es256_part_size, nullptr);
    if (parts == nullptr || r == nullptr || s == nullptr ||
        ECDSA_SIG_set0(parts.get(), r, s) != 1) {
        BN_free(r);
        BN_free(s);
        return {};
    }
    unsigned char* der = nullptr;
    const int size = i2d_ECDSA_SIG(parts.get(), &der);
    if (size <= 0) return {};
    std::string out{reinterpret_cast<char*>(der), static_cast<std::size_t>(size)};
    OPENSSL_free(der);
    return out;
}

bool hmac_matches(
    std::string_view secret, std::string_view signed_text, std::string_view signature
) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> made;
    unsigned int size = 0;
    const unsigned char* done = HMAC(
        EVP_sha256(),
        secret.data(),
        static_cast<int>(secret.size()),
        bytes_of(signed_text),
        signed_text.size(),
        made.data(),
        &size
    );
    return done != nullptr && size == signature.size() &&
           CRYPTO_memcmp(made.data(), signature.data(), size) == 0;
}

bool key_verifies(
    EVP_PKEY* key, const EVP_MD* digest, std::string_view signed_text, std::string_view signature
) {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{
        EVP_MD_CTX_new(), EVP_MD_CTX_free};
    const bool holds = context != nullptr &&
                       EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
                       EVP_DigestVerify(
                           context.get(),
                           bytes_of(signature),
                           signature.size(),
                           bytes_of(signed_text),
                           signed_text.size()
                       ) == 1;
    // What a stranger's bytes left in this thread's queue is not the next caller's failure.
    ERR_clear_error();
    return holds;
}

/// P-256 and no other curve.
bool is_p256(EVP_PKEY* key) {
    std::array<char, 64> group{};
    std::size_t size = 0;
    return EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) == 1 &&
           std::string_view{group.data(), size} == "prime256v1";
}

std::optional<JwtAlgorithm> algorithm_of(EVP_PKEY* key) {
    switch (EVP_PKEY_get_base_id(key)) {
        case EVP_PKEY_RSA:
            if (EVP_PKEY_get_bits(key) < jwt_rsa_bits_min) return std::nullopt;
            return JwtAlgorithm::rs256;
        case EVP_PKEY_EC:
            if (!is_p256(key)) return std::nullopt;
            return JwtAlgorithm::es256;
        case EVP_PKEY_ED25519: return JwtAlgorithm::eddsa;
        default: return std::nullopt;
    }
}

}  // namespace

std::string_view name(JwtAlgorithm algorithm) {
    switch (algorithm) {
        case JwtAlgorithm::hs256: return "HS256";
        case JwtAlgorithm::rs256: return "RS256";
        case JwtAlgorithm::es256: return "ES256";
        case JwtAlgorithm::eddsa: return "EdDSA";
    }
    FC_UNREACHABLE();
}

std::optional<JwtAlgorithm> jwt_algorithm_from(std::string_view text) {
    for (const auto each :
         {JwtAlgorithm::hs256, JwtAlgorithm::rs256, JwtAlgorithm::es256, JwtAlgorithm::eddsa}) {
        if (name(each) == text) return each;
    }
    return std::nullopt;
}

JwtKey JwtKey::of_secret(std::string id, std::string secret) {
    JwtKey key{JwtAlgorithm::hs256, std::move(id)};
    key.secret_ = std::move(secret);
    return key;
}

std::optional<JwtKey> JwtKey::of_public(std::string id, EVP_PKEY* taken) {
    std::shared_ptr<EVP_PKEY> held{taken, EVP_PKEY_free};
    const auto algorithm = algorithm_of(taken);
    ERR_clear_error();
    if (!algorithm) return std::nullopt;
    JwtKey key{*algorithm, std::move(id)};
    key.public_ = std::move(held);
    return key;
}

bool JwtKey::signed_by(std::string_view signed_text, std::string_view signature) const {
    switch (algorithm_) {
        case JwtAlgorithm::hs256: return hmac_matches(secret_, signed_text, signature);
        case JwtAlgorithm::rs256:
            return key_verifies(public_.get(), EVP_sha256(), signed_text, signature);
        case JwtAlgorithm::es256: {
            const std::string der = der_of(signature);
            return !der.empty() && key_verifies(public_.get(), EVP_sha256(), signed_text, der);
        }
        case JwtAlgorithm::eddsa:
            return key_verifies(public_.get(), nullptr, signed_text, signature);
    }
    FC_UNREACHABLE();
}

std::optional<std::string> base64url_decoded(std::string_view text) {
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    if (text.size() % 4 == 1) return std::nullopt;
    std::string out;
    out.reserve(text.size() * 3 / 4);
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : text) {
        const auto digit = alphabet.find(c);
        if (digit == std::string_view::npos) return std::nullopt;
        bits = bits << 6U | static_cast<std::uint32_t>(digit);
        held += 6;
        if (held < 8) continue;
        held -= 8;
        out += static_cast<char>(bits >> held & 0xFFU);
    }
    // Left-over bits that are set would be a second spelling of the same bytes.
    if ((bits & ((1U << held) - 1)) != 0) return std::nullopt;
    return out;
}

}  // namespace firstcome::http
