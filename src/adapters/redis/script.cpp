// src/adapters/redis/script.cpp - a Lua script and the name Redis knows it by
#include "adapters/redis/script.hpp"

#include <openssl/sha.h>

#include <array>

namespace firstcome::redis {

Script::Script(std::string_view text) : text_(text) {
    std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
    SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
    constexpr std::string_view digits = "0123456789abcdef";
    for (const unsigned char byte : digest) {
        sha1_ += digits[byte >> 4U];
        sha1_ += digits[byte & 15U];
    }
}

}  // namespace firstcome::redis
