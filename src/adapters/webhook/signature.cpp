// src/adapters/webhook/signature.cpp - signs messages so that a receiver knows who sent them
#include "adapters/webhook/signature.hpp"

#include "base/assert.hpp"
#include "base/private_file.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <iterator>
#include <optional>
#include <utility>

namespace firstcome::webhook {

namespace {

constexpr std::string_view prefix = "whsec_";
constexpr std::string_view white = " \t\r\n";
constexpr std::size_t file_bytes_max = 4096;

constexpr std::string_view how_to_make_one =
    "make one with: (umask 077; echo \"whsec_$(openssl rand -base64 32)\" > FILE)";

// OpenSSL's decoder forgives white space and stray padding; a secret that needs forgiveness was cut
// or mistyped, and the receiver may read it otherwise.
std::optional<std::string> from_base64(std::string_view text) {
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const std::size_t end = text.find_last_not_of('=') + 1;
    const std::size_t padding = text.size() - end;
    if (text.empty() || text.size() % 4 != 0 || padding > 2) return std::nullopt;
    if (text.substr(0, end).find_first_not_of(alphabet) != std::string_view::npos) {
        return std::nullopt;
    }
    std::string decoded(text.size() / 4 * 3, '\0');
    const int size = EVP_DecodeBlock(
        reinterpret_cast<unsigned char*>(decoded.data()),
        reinterpret_cast<const unsigned char*>(text.data()),
        static_cast<int>(text.size())
    );
    if (size < 0) return std::nullopt;
    decoded.resize(decoded.size() - padding);
    return decoded;
}

std::string to_base64(std::string_view bytes) {
    std::string text((bytes.size() + 2) / 3 * 4, '\0');
    const int size = EVP_EncodeBlock(
        reinterpret_cast<unsigned char*>(text.data()),
        reinterpret_cast<const unsigned char*>(bytes.data()),
        static_cast<int>(bytes.size())
    );
    FC_ASSERT(static_cast<std::size_t>(size) == text.size());
    return text;
}

}  // namespace

std::expected<Signer, std::string> Signer::from(std::string_view text) {
    std::vector<std::string> keys;
    for (std::size_t begin = text.find_first_not_of(white); begin != std::string_view::npos;
         begin = text.find_first_not_of(white, begin)) {
        const std::size_t end = std::min(text.find_first_of(white, begin), text.size());
        const std::string_view word = text.substr(begin, end - begin);
        begin = end;
        const std::string which = fmt::format("webhook secret {}", keys.size() + 1);
        if (!word.starts_with(prefix)) {
            return std::unexpected(fmt::format("{} does not begin with \"{}\"", which, prefix));
        }
        auto key = from_base64(word.substr(prefix.size()));
        if (!key) {
            return std::unexpected(
                fmt::format("{}: what follows \"{}\" is not base64", which, prefix)
            );
        }
        if (key->size() < secret_bytes_min || key->size() > secret_bytes_max) {
            return std::unexpected(fmt::format(
                "{} has {} bytes; {} to {} are asked for",
                which,
                key->size(),
                secret_bytes_min,
                secret_bytes_max
            ));
        }
        keys.push_back(*std::move(key));
    }
    if (keys.empty()) {
        return std::unexpected(fmt::format("there is no webhook secret: {}", how_to_make_one));
    }
    if (keys.size() > secrets_max) {
        return std::unexpected(fmt::format(
            "there are {} webhook secrets; one, and a second while it replaces the first, are all"
            " that is taken",
            keys.size()
        ));
    }
    return Signer{std::move(keys)};
}

std::expected<Signer, std::string> Signer::from_file(const std::filesystem::path& path) {
    const auto text = base::read_whole_file(path, file_bytes_max, base::Readers::owner_and_group);
    if (!text) {
        return std::unexpected(fmt::format(
            "the webhook's secret file {} {}; {}", path.string(), text.error(), how_to_make_one
        ));
    }
    auto signer = from(*text);
    if (!signer) return std::unexpected(fmt::format("{}: {}", path.string(), signer.error()));
    return signer;
}

std::string Signer::sign(std::string_view id, std::int64_t timestamp, std::string_view body) const {
    const std::string content = fmt::format("{}.{}.{}", id, timestamp, body);
    std::string signatures;
    for (const std::string& key : keys_) {
        std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
        unsigned size = 0;
        const auto* made = HMAC(
            EVP_sha256(),
            key.data(),
            static_cast<int>(key.size()),
            reinterpret_cast<const unsigned char*>(content.data()),
            content.size(),
            digest.data(),
            &size
        );
        FC_ASSERT(made != nullptr);
        if (!signatures.empty()) signatures += ' ';
        signatures += "v1,";
        signatures += to_base64({reinterpret_cast<const char*>(digest.data()), size});
    }
    return signatures;
}

}  // namespace firstcome::webhook
