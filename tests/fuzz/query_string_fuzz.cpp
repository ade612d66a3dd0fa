// tests/fuzz/query_string_fuzz.cpp - whatever the bytes: a query within its limits, or a reason
#include "base/assert.hpp"
#include "http/cursor.hpp"
#include "http/query_string.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace firstcome;
    const std::string_view text{reinterpret_cast<const char*>(bytes), size};
    if (const auto id = http::parse_cursor(text)) {
        std::string again;
        http::append_cursor(again, *id);
        FC_ASSERT(again == text);
    }
    (void)http::parse_item_query(text);
    const auto query = http::parse_order_query(text);
    if (!query) {
        FC_ASSERT(!query.error().empty());
        FC_ASSERT(query.error().size() <= http::input_errors_max);
        return 0;
    }
    FC_ASSERT(query->limit >= 1);
    FC_ASSERT(query->limit <= http::page_limit_max);
    FC_ASSERT(domain::UserId::from(query->user.text()));
    return 0;
}
