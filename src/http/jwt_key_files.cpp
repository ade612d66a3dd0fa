// src/http/jwt_key_files.cpp - reads keys from PEM files, JSON Web Key Sets and a secret's file
#include "base/private_file.hpp"
#include "http/jwt_keys.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <utility>

namespace firstcome::http {

namespace {

namespace json = boost::json;

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

constexpr std::string_view pem_begin = "-----BEGIN ";
constexpr std::size_t curve_part_size = 32;  // bytes of a P-256 coordinate, and of an Ed25519 key

std::unexpected<KeyFileError> fail(std::string why) {
    return std::unexpected(KeyFileError{std::move(why)});
}

/// The member's text; empty: none, or of another type.
std::string_view text_of(const json::object& object, std::string_view member) {
    const auto* value = object.if_contains(member);
    const auto* text = value == nullptr ? nullptr : value->if_string();
    return text == nullptr ? std::string_view{} : std::string_view{text->data(), text->size()};
}

std::optional<std::string> bytes_in(const json::object& object, std::string_view member) {
    auto bytes = base64url_decoded(text_of(object, member));
    if (bytes && bytes->empty()) return std::nullopt;
    return bytes;
}

/// Made from numbers as OpenSSL names them; null: they are no key.
EVP_PKEY* key_from(const char* type, OSSL_PARAM* params) {
    EVP_PKEY* key = nullptr;
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr);
    if (context != nullptr && EVP_PKEY_fromdata_init(context) == 1) {
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params);
    }
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    ERR_clear_error();
    return key;
}

EVP_PKEY* rsa_key(const json::object& from) {
    const auto modulus = bytes_in(from, "n");
    const auto exponent = bytes_in(from, "e");
    if (!modulus || !exponent || modulus->size() > 2048 || exponent->size() > 8) return nullptr;
    const auto number = [](const std::string& bytes) {
        return BN_bin2bn(
            reinterpret_cast<const unsigned char*>(bytes.data()),
            static_cast<int>(bytes.size()),
            nullptr
        );
    };
    BIGNUM* n = number(*modulus);
    BIGNUM* e = number(*exponent);
    OSSL_PARAM_BLD* builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM* params = nullptr;
    if (builder != nullptr && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1) {
        params = OSSL_PARAM_BLD_to_param(builder);
    }
    EVP_PKEY* key = params == nullptr ? nullptr : key_from("RSA", params);
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(e);
    return key;
}

EVP_PKEY* p256_key(const json::object& from) {
    if (text_of(from, "crv") != "P-256") return nullptr;
    const auto x = bytes_in(from, "x");
    const auto y = bytes_in(from, "y");
    if (!x || !y || x->size() != curve_part_size || y->size() != curve_part_size) return nullptr;
    const std::string point = "\x04" + *x + *y;  // uncompressed
    OSSL_PARAM_BLD* builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM* params = nullptr;
    if (builder != nullptr &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) ==
            1 &&
        OSSL_PARAM_BLD_push_octet_string(
            builder, OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()
        ) == 1) {
        params = OSSL_PARAM_BLD_to_param(builder);
    }
    EVP_PKEY* key = params == nullptr ? nullptr : key_from("EC", params);
    OSSL_PARAM_BLD_free(builder);
    return key;
}

EVP_PKEY* ed25519_key(const json::object& from) {
    if (text_of(from, "crv") != "Ed25519") return nullptr;
    const auto x = bytes_in(from, "x");
    if (!x || x->size() != curve_part_size) return nullptr;
    return EVP_PKEY_new_raw_public_key(
        EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(x->data()), x->size()
    );
}

/// Whether the set says that the key checks signatures, or does not say what it is for.
bool may_verify(const json::object& from) {
    if (from.if_contains("use") != nullptr && text_of(from, "use") != "sig") return false;
    const auto* operations = from.if_contains("key_ops");
    if (operations == nullptr) return true;
    const auto* list = operations->if_array();
    return list != nullptr && std::any_of(list->begin(), list->end(), [](const json::value& each) {
               const auto* text = each.if_string();
               return text != nullptr && *text == "verify";
           });
}

std::optional<JwtKey> secret_in(const json::object& from) {
    const auto secret = bytes_in(from, "k");
    if (!secret || secret->size() < jwt_secret_size_min) return std::nullopt;
    return JwtKey::of_secret(std::string{text_of(from, "kid")}, *secret);
}

std::optional<JwtKey> key_of(const json::object& from) {
    if (!may_verify(from)) return std::nullopt;
    const std::string_view type = text_of(from, "kty");
    if (type == "oct") return secret_in(from);
    EVP_PKEY* key = nullptr;
    if (type == "RSA") key = rsa_key(from);
    if (type == "EC") key = p256_key(from);
    if (type == "OKP") key = ed25519_key(from);
    if (key == nullptr) return std::nullopt;
    return JwtKey::of_public(std::string{text_of(from, "kid")}, key);
}

/// `alg` of a key in a set, where it is given, must be the one its type has here.
bool says_other_algorithm(const json::object& from, const JwtKey& key) {
    return from.if_contains("alg") != nullptr && text_of(from, "alg") != name(key.algorithm());
}

EVP_PKEY* public_key_in(BIO* pem, std::string_view label) {
    if (label == "PUBLIC KEY") return PEM_read_bio_PUBKEY(pem, nullptr, nullptr, nullptr);
    X509* certificate = PEM_read_bio_X509(pem, nullptr, nullptr, nullptr);
    EVP_PKEY* key = certificate == nullptr ? nullptr : X509_get_pubkey(certificate);
    X509_free(certificate);
    return key;
}

std::expected<JwtKeys, KeyFileError> keys_of_secret(std::string_view text) {
    const std::size_t last = text.find_last_not_of("\r\n");
    text = text.substr(0, last == std::string_view::npos ? 0 : last + 1);
    // Whoever has the public key could sign with it, if it were taken for a secret.
    if (text.find(pem_begin) != std::string_view::npos) {
        return fail("holds a PEM key; name it in auth.key_file, it is no shared secret");
    }
    if (text.size() < jwt_secret_size_min) {
        return fail(fmt::format("must hold a secret of at least {} bytes", jwt_secret_size_min));
    }
    JwtKeys keys;
    keys.push_back(JwtKey::of_secret({}, std::string{text}));
    return keys;
}

using Parse = std::expected<JwtKeys, KeyFileError> (*)(std::string_view);

std::expected<void, KeyFileError> add_file(
    std::string_view option,
    const std::string& file,
    base::Readers readers,
    Parse parse,
    JwtKeys& keys
) {
    if (file.empty()) return {};
    const auto refuse = [&](std::string_view why) {
        return fail(fmt::format("{} {}: {}", option, file, why));
    };
    const auto text = base::read_whole_file(file, jwt_key_file_size_max, readers);
    if (!text) return refuse(text.error());
    auto found = parse(*text);
    if (!found) return refuse(found.error().text);
    const bool has_secret = std::ranges::any_of(*found, [](const JwtKey& key) {
        return key.algorithm() == JwtAlgorithm::hs256;
    });
    if (has_secret && readers == base::Readers::anybody) {
        return add_file(option, file, base::Readers::owner_only, parse, keys);
    }
    if (keys.size() + found->size() > jwt_keys_max) {
        return refuse(fmt::format("makes more than {} keys in all", jwt_keys_max));
    }
    std::ranges::move(*found, std::back_inserter(keys));
    return {};
}

}  // namespace

std::expected<JwtKeys, KeyFileError> jwt_keys_of_pem(std::string_view text) {
    JwtKeys keys;
    if (text.find("PRIVATE KEY-----") != std::string_view::npos) {
        return fail("holds a private key; only its public half belongs on this machine");
    }
    for (std::size_t at = text.find(pem_begin); at != std::string_view::npos;
         at = text.find(pem_begin, at + 1)) {
        const std::string_view rest = text.substr(at);
        const std::string_view after = rest.substr(pem_begin.size());
        const std::string_view label = after.substr(0, after.find("-----"));
        if (label != "PUBLIC KEY" && label != "CERTIFICATE") {
            return fail("holds something that is neither PUBLIC KEY nor CERTIFICATE");
        }
        const Bio pem{BIO_new_mem_buf(rest.data(), static_cast<int>(rest.size())), BIO_free};
        EVP_PKEY* found = public_key_in(pem.get(), label);
        ERR_clear_error();
        if (found == nullptr) return fail("holds a key that cannot be read; is it whole?");
        auto key = JwtKey::of_public({}, found);
        if (!key) {
            return fail("holds a key of another kind than RSA (2048 bits or more), P-256, Ed25519");
        }
        keys.push_back(*std::move(key));
    }
    if (keys.empty()) return fail("holds no PEM key");
    return keys;
}

std::expected<JwtKeys, KeyFileError> jwt_keys_of_set(std::string_view text) {
    boost::system::error_code error;
    json::value parsed;
    // Boost 1.81 tells running out of memory by throwing, everything else by the code.
    try {
        parsed = json::parse({text.data(), text.size()}, error);
    } catch (const std::exception& failure) {
        return fail(failure.what());
    }
    const auto* set = error ? nullptr : parsed.if_object();
    const auto* list = set == nullptr ? nullptr : set->if_contains("keys");
    if (list == nullptr || !list->is_array()) {
        return fail("is not a JSON Web Key Set: {\"keys\":[...]}");
    }
    JwtKeys keys;
    for (const json::value& each : list->get_array()) {
        const auto* from = each.if_object();
        if (from == nullptr) return fail("has a key that is no object");
        auto key = key_of(*from);
        if (!key || says_other_algorithm(*from, *key)) continue;
        const bool twice = std::ranges::any_of(keys, [&](const JwtKey& other) {
            return !key->id().empty() && other.id() == key->id() &&
                   other.algorithm() == key->algorithm();
        });
        if (twice) return fail(fmt::format("has two keys with kid \"{}\"", key->id()));
        keys.push_back(*std::move(key));
    }
    if (keys.empty()) return fail("has no key for HS256, RS256, ES256 or EdDSA signatures");
    return keys;
}

std::expected<JwtKeys, KeyFileError> load_jwt_keys(const JwtKeyFiles& files) {
    JwtKeys keys;
    for (const auto& added : {
             add_file("auth.key_file", files.pem, base::Readers::anybody, jwt_keys_of_pem, keys),
             add_file("auth.jwks_file", files.jwks, base::Readers::anybody, jwt_keys_of_set, keys),
             add_file(
                 "auth.secret_file", files.secret, base::Readers::owner_only, keys_of_secret, keys
             ),
         }) {
        if (!added) return std::unexpected(added.error());
    }
    if (keys.empty()) {
        return fail("auth.mode = jwt needs auth.key_file, auth.jwks_file or auth.secret_file");
    }
    return keys;
}

}  // namespace firstcome::http
