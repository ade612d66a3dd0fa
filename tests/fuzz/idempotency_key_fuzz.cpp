// tests/fuzz/idempotency_key_fuzz.cpp - whatever the bytes: a usable key, or a reason
#include "base/assert.hpp"
#include "http/idempotency_key.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace firstcome;
    const std::string_view value{reinterpret_cast<const char*>(bytes), size};
    const auto key = http::parse_idempotency_key(value);
    if (!key) {
        FC_ASSERT(!http::detail(key.error()).empty());
        return 0;
    }
    FC_ASSERT(http::is_idempotency_key(*key));
    const bool has_no_quoting = key->find_first_of("\"\\") == std::string_view::npos;
    if (has_no_quoting) {
        const std::string quoted = '"' + std::string{*key} + '"';
        FC_ASSERT(http::parse_idempotency_key(quoted) == *key);
        FC_ASSERT(http::parse_idempotency_key(*key) == *key);
    }
    return 0;
}
