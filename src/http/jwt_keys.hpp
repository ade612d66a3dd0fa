// src/http/jwt_keys.hpp - the keys buyers' tokens are signed with, from files, one algorithm each
#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::http {

/// What a key is for is said by the key alone, never by a token: that is what keeps a public key
/// from being taken for a shared secret.
enum class JwtAlgorithm : std::uint8_t { hs256, rs256, es256, eddsa };
[[nodiscard]] std::string_view name(JwtAlgorithm algorithm);  ///< "HS256", as in `alg`
[[nodiscard]] std::optional<JwtAlgorithm> jwt_algorithm_from(std::string_view name);

inline constexpr std::size_t jwt_key_file_size_max = std::size_t{1024} * 1024;  ///< bytes
inline constexpr std::size_t jwt_keys_max = 64;                                 ///< of all files
inline constexpr std::size_t jwt_secret_size_min = 32;  ///< bytes; RFC 7518, 3.2
inline constexpr int jwt_rsa_bits_min = 2048;           ///< RFC 7518, 3.3

/// Why no keys could be read; `text` tells an operator which file and what to do.
struct KeyFileError {
    std::string text;
};

/// One key that checks signatures; shared, since OpenSSL counts its users.
class JwtKey {
public:
    [[nodiscard]] static JwtKey of_secret(std::string id, std::string secret);
    /// Nothing: a key of a kind none of our algorithms has, or too weak.
    [[nodiscard]] static std::optional<JwtKey> of_public(std::string id, EVP_PKEY* taken);

    /// Whether `signature` is one of `signed_text` by this key.
    ///
    /// Thread   any
    [[nodiscard]] bool signed_by(std::string_view signed_text, std::string_view signature) const;

    [[nodiscard]] JwtAlgorithm algorithm() const { return algorithm_; }

    [[nodiscard]] const std::string& id() const { return id_; }

private:
    JwtKey(JwtAlgorithm algorithm, std::string id) : algorithm_(algorithm), id_(std::move(id)) {}

    JwtAlgorithm algorithm_;
    std::string id_;  ///< `kid`; empty: fits any
    std::string secret_;
    std::shared_ptr<EVP_PKEY> public_;
};

/// Where keys are; what is empty is not there.
struct JwtKeyFiles {
    std::string pem;     ///< public keys or certificates, one after the other
    std::string jwks;    ///< a JSON Web Key Set
    std::string secret;  ///< the shared secret of HS256; readable by its owner only
};

using JwtKeys = std::vector<JwtKey>;

/// Reads all files. Keys of other kinds and uses in a set are passed over; a file without a usable
/// key is an error, as is one that is not whole.
[[nodiscard]] std::expected<JwtKeys, KeyFileError> load_jwt_keys(const JwtKeyFiles& files);

/// The same of texts, for tests and fuzzing.
[[nodiscard]] std::expected<JwtKeys, KeyFileError> jwt_keys_of_pem(std::string_view text);
[[nodiscard]] std::expected<JwtKeys, KeyFileError> jwt_keys_of_set(std::string_view text);

/// Base64url without padding, in its one canonical form. Nothing: it is not.
///
/// Source   RFC 7515, section 2 and appendix C
[[nodiscard]] std::optional<std::string> base64url_decoded(std::string_view text);

}  // namespace firstcome::http
