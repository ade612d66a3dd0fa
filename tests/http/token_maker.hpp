// tests/http/token_maker.hpp - an issuer of tokens: its keys, and what it would sign
#pragma once

#include "base/assert.hpp"
#include "http/jwt_keys.hpp"

#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::http {

inline std::string base64url(std::string_view bytes) {
    std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const int size = EVP_EncodeBlock(
        reinterpret_cast<unsigned char*>(out.data()),
        reinterpret_cast<const unsigned char*>(bytes.data()),
        static_cast<int>(bytes.size())
    );
    out.resize(static_cast<std::size_t>(size));
    while (out.ends_with('=')) out.pop_back();
    for (char& c : out) {
        if (c == '+') c = '-';
        if (c == '/') c = '_';
    }
    return out;
}

/// A key pair of one of the kinds RSA, EC (P-256) and ED25519.
class SigningKey {
public:
    explicit SigningKey(std::string_view kind)
        : pair_(made(kind), EVP_PKEY_free), is_ec_(kind == "EC") {
        FC_ASSERT(pair_ != nullptr);
    }

    [[nodiscard]] JwtKey key(std::string id = {}) const {
        EVP_PKEY_up_ref(pair_.get());
        auto key = JwtKey::of_public(std::move(id), pair_.get());
        FC_ASSERT(key);
        return *key;
    }

    [[nodiscard]] std::string public_pem() const {
        BIO* out = BIO_new(BIO_s_mem());
        PEM_write_bio_PUBKEY(out, pair_.get());
        char* text = nullptr;
        const long size = BIO_get_mem_data(out, &text);
        std::string pem{text, static_cast<std::size_t>(size)};
        BIO_free(out);
        return pem;
    }

    [[nodiscard]] std::string private_pem() const {
        BIO* out = BIO_new(BIO_s_mem());
        PEM_write_bio_PrivateKey(out, pair_.get(), nullptr, nullptr, 0, nullptr, nullptr);
        char* text = nullptr;
        const long size = BIO_get_mem_data(out, &text);
        std::string pem{text, static_cast<std::size_t>(size)};
        BIO_free(out);
        return pem;
    }

    /// A number of the public key as a set spells it: "n", "e" of RSA, "pub" of EC and ED25519.
    [[nodiscard]] std::string number(const char* name) const {
        BIGNUM* number = nullptr;
        FC_ASSERT(EVP_PKEY_get_bn_param(pair_.get(), name, &number) == 1);
        std::string bytes(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
        BN_bn2bin(number, reinterpret_cast<unsigned char*>(bytes.data()));
        BN_free(number);
        return bytes;
    }

    [[nodiscard]] std::string octets(const char* name) const {
        std::string bytes(256, '\0');
        std::size_t size = 0;
        FC_ASSERT(
            EVP_PKEY_get_octet_string_param(
                pair_.get(),
                name,
                reinterpret_cast<unsigned char*>(bytes.data()),
                bytes.size(),
                &size
            ) == 1
        );
        bytes.resize(size);
        return bytes;
    }

    [[nodiscard]] std::string sign(std::string_view text) const {
        const bool is_eddsa = EVP_PKEY_get_base_id(pair_.get()) == EVP_PKEY_ED25519;
        EVP_MD_CTX* context = EVP_MD_CTX_new();
        const EVP_MD* digest = is_eddsa ? nullptr : EVP_sha256();
        EVP_DigestSignInit(context, nullptr, digest, nullptr, pair_.get());
        const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
        std::size_t size = 0;
        EVP_DigestSign(context, nullptr, &size, bytes, text.size());
        std::string made(size, '\0');
        auto* out = reinterpret_cast<unsigned char*>(made.data());
        FC_ASSERT(EVP_DigestSign(context, out, &size, bytes, text.size()) == 1);
        made.resize(size);
        EVP_MD_CTX_free(context);
        return is_ec_ ? side_by_side(made) : made;
    }

private:
    static EVP_PKEY* made(std::string_view kind) {
        if (kind == "RSA") return EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{2048});
        if (kind == "EC") return EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
        return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    }

    static std::string side_by_side(const std::string& der) {
        const auto* at = reinterpret_cast<const unsigned char*>(der.data());
        ECDSA_SIG* parts = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
        std::string out(64, '\0');
        auto* bytes = reinterpret_cast<unsigned char*>(out.data());
        BN_bn2binpad(ECDSA_SIG_get0_r(parts), bytes, 32);
        BN_bn2binpad(ECDSA_SIG_get0_s(parts), bytes + 32, 32);
        ECDSA_SIG_free(parts);
        return out;
    }

    std::shared_ptr<EVP_PKEY> pair_;
    bool is_ec_;
};

inline std::string hmac(std::string_view secret, std::string_view text) {
    std::string made(32, '\0');
    HMAC(
        EVP_sha256(),
        secret.data(),
        static_cast<int>(secret.size()),
        reinterpret_cast<const unsigned char*>(text.data()),
        text.size(),
        reinterpret_cast<unsigned char*>(made.data()),
        nullptr
    );
    return made;
}

/// header.payload of two JSON texts, as they are signed.
inline std::string unsigned_token(std::string_view header, std::string_view payload) {
    return base64url(header) + "." + base64url(payload);
}

inline std::string token_by(
    const SigningKey& key, std::string_view header, std::string_view payload
) {
    const std::string text = unsigned_token(header, payload);
    return text + "." + base64url(key.sign(text));
}

inline std::string token_by_secret(
    std::string_view secret, std::string_view header, std::string_view payload
) {
    const std::string text = unsigned_token(header, payload);
    return text + "." + base64url(hmac(secret, text));
}

}  // namespace firstcome::http
