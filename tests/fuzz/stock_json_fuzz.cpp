// tests/fuzz/stock_json_fuzz.cpp - any bytes as a stock change
#include "base/assert.hpp"
#include "http/stock_json.hpp"
#include "http/timestamp.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace {

using namespace firstcome;

/// A time that was read is written, read again, and is the same.
void check_round_trip(base::WallTime time) {
    std::array<char, http::timestamp_size> text;
    FC_ASSERT(http::write_timestamp(text.data(), time) == text.data() + text.size());
    const auto again = http::parse_timestamp({text.data(), text.size()});
    FC_ASSERT(again);
    FC_ASSERT(*again == time);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(bytes), size};
    if (const auto time = http::parse_timestamp(text)) check_round_trip(*time);

    const auto change = http::parse_stock_change(text);
    if (!change) {
        FC_ASSERT(!change.error().empty());
        FC_ASSERT(change.error().size() <= http::input_errors_max);
        return 0;
    }
    FC_ASSERT(change->quantity >= 0);
    FC_ASSERT(change->quantity <= domain::stock_units_max);
    FC_ASSERT(change->reason.size() <= http::reason_characters_max * 4);
    if (change->opens_at && *change->opens_at) check_round_trip(**change->opens_at);
    if (change->closes_at && *change->closes_at) check_round_trip(**change->closes_at);
    return 0;
}
