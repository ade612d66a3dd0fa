// src/adapters/postgres/rows.cpp - what a statement gave, read in place
#include "adapters/postgres/rows.hpp"

#include "adapters/postgres/wire.hpp"
#include "base/assert.hpp"

#include <libpq-fe.h>

#include <charconv>

namespace firstcome::postgres {

void Rows::Clear::operator()(pg_result* result) const {
    PQclear(result);
}

std::size_t Rows::size() const {
    return result_ ? static_cast<std::size_t>(PQntuples(result_.get())) : 0;
}

std::uint64_t Rows::changed() const {
    if (!result_) return 0;
    const std::string_view text = PQcmdTuples(result_.get());
    std::uint64_t count = 0;
    std::from_chars(text.data(), text.data() + text.size(), count);
    return count;
}

std::string_view Rows::cell(std::size_t row, int column) const {
    FC_ASSERT(row < size());
    FC_ASSERT(column < PQnfields(result_.get()));
    const int at = static_cast<int>(row);
    return {
        PQgetvalue(result_.get(), at, column),
        static_cast<std::size_t>(PQgetlength(result_.get(), at, column))};
}

bool Rows::is_null(std::size_t row, int column) const {
    FC_ASSERT(row < size());
    return PQgetisnull(result_.get(), static_cast<int>(row), column) != 0;
}

std::int64_t Rows::integer(std::size_t row, int column) const {
    const std::string_view bytes = cell(row, column);
    const std::uint64_t value = big_endian(bytes);
    switch (bytes.size()) {
        case 2: return static_cast<std::int16_t>(value);
        case 4: return static_cast<std::int32_t>(value);
        case 8: return static_cast<std::int64_t>(value);
        default: FC_UNREACHABLE();
    }
}

bool Rows::boolean(std::size_t row, int column) const {
    const std::string_view bytes = cell(row, column);
    FC_ASSERT(bytes.size() == 1);
    return bytes[0] != '\0';
}

std::string_view Rows::text(std::size_t row, int column) const {
    return cell(row, column);
}

std::span<const std::byte> Rows::bytes(std::size_t row, int column) const {
    const std::string_view bytes = cell(row, column);
    return std::as_bytes(std::span(bytes.data(), bytes.size()));
}

domain::OrderId Rows::id(std::size_t row, int column) const {
    const std::string_view bytes = cell(row, column);
    FC_ASSERT(bytes.size() == 16);
    return {.high = big_endian(bytes.substr(0, 8)), .low = big_endian(bytes.substr(8))};
}

base::WallTime Rows::time(std::size_t row, int column) const {
    const std::string_view bytes = cell(row, column);
    FC_ASSERT(bytes.size() == 8);
    const std::chrono::microseconds since{static_cast<std::int64_t>(big_endian(bytes))};
    return year_2000 + std::chrono::floor<std::chrono::milliseconds>(since);
}

domain::KeyHash Rows::key(std::size_t row, int column) const {
    const std::string_view bytes = cell(row, column);
    FC_ASSERT(bytes.size() == 16);
    return {.high = big_endian(bytes.substr(0, 8)), .low = big_endian(bytes.substr(8))};
}

domain::TraceContext Rows::trace(std::size_t row, int column) const {
    const std::string_view bytes = cell(row, column);
    if (bytes.size() != 25) return {};
    return {
        .trace_high = big_endian(bytes.substr(0, 8)),
        .trace_low = big_endian(bytes.substr(8, 8)),
        .span = big_endian(bytes.substr(16, 8)),
        .sampled = bytes[24] != '\0'};
}

std::optional<std::int64_t> Rows::maybe_integer(std::size_t row, int column) const {
    if (is_null(row, column)) return std::nullopt;
    return integer(row, column);
}

std::optional<base::WallTime> Rows::maybe_time(std::size_t row, int column) const {
    if (is_null(row, column)) return std::nullopt;
    return time(row, column);
}

std::optional<domain::KeyHash> Rows::maybe_key(std::size_t row, int column) const {
    if (is_null(row, column)) return std::nullopt;
    return key(row, column);
}

}  // namespace firstcome::postgres
