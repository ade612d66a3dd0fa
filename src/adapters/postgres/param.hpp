// src/adapters/postgres/param.hpp - a statement's parameter, in PostgreSQL's binary form
#pragma once

#include "base/time.hpp"
#include "domain/event.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::postgres {

/// The SQL type of a value, as the server numbers it (pg_type.oid), and of an array of such.
struct SqlType {
    std::uint32_t element = 0;
    std::uint32_t array = 0;
};

/// Appends the value in binary form and says what it is.
SqlType encode(std::string& out, std::int64_t value);                // bigint
SqlType encode(std::string& out, bool value);                        // boolean
SqlType encode(std::string& out, std::string_view value);            // text
SqlType encode(std::string& out, std::span<const std::byte> value);  // bytea
SqlType encode(std::string& out, const domain::OrderId& value);      // uuid
SqlType encode(std::string& out, const domain::KeyHash& value);      // bytea, 16 bytes
SqlType encode(std::string& out, base::WallTime value);              // timestamptz
/// bytea, 25 bytes: trace id, span id, 1 when sampled; null when there is none.
SqlType encode(std::string& out, const domain::TraceContext& value);

template <std::integral T>
SqlType encode(std::string& out, T value) {
    return encode(out, static_cast<std::int64_t>(value));
}

template <typename Tag>
SqlType encode(std::string& out, const domain::Id<Tag>& value) {
    return encode(out, value.text());
}

inline SqlType encode(std::string& out, const char* value) {
    return encode(out, std::string_view{value});
}

inline SqlType encode(std::string& out, const std::string& value) {
    return encode(out, std::string_view{value});
}

template <typename T>
bool is_null(const T&) {
    return false;
}

template <typename T>
bool is_null(const std::optional<T>& value) {
    return !value;
}

inline bool is_null(const domain::TraceContext& trace) {
    return trace.trace_high == 0 && trace.trace_low == 0;
}

template <typename T>
SqlType encode(std::string& out, const std::optional<T>& value) {
    return value ? encode(out, *value) : encode(out, T{});
}

/// Knows its SQL type, so that no statement depends on what the server would guess. What `encode`
/// takes; optional<T>: the same or null; vector<T> and vector<optional<T>>: an array of it.
class Param {
public:
    template <typename T>
    Param(const T& value)  // NOLINT(google-explicit-constructor): a call lists plain values
        : is_null_(postgres::is_null(value)) {
        type_ = encode(bytes_, value).element;
    }

    template <typename T>
    Param(const std::vector<T>& values) {  // NOLINT(google-explicit-constructor)
        std::string ignored;
        const SqlType type = encode(ignored, T{});
        type_ = type.array;
        begin_array(type.element, values.size());
        for (const T& value : values) append(value);
    }

    [[nodiscard]] std::uint32_t type() const { return type_; }

    /// Nullptr: null.
    [[nodiscard]] const char* value() const { return is_null_ ? nullptr : bytes_.data(); }

    [[nodiscard]] int size() const { return static_cast<int>(bytes_.size()); }

private:
    void begin_array(std::uint32_t element_type, std::size_t size);
    void end_element(std::size_t began, bool null);

    template <typename T>
    void append(const T& value) {
        const std::size_t began = bytes_.size();
        bytes_.append(4, '\0');
        if (!postgres::is_null(value)) encode(bytes_, value);
        end_element(began, postgres::is_null(value));
    }

    std::uint32_t type_ = 0;
    bool is_null_ = false;
    std::string bytes_;
};

}  // namespace firstcome::postgres
