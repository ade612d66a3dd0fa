// src/http/input_error.hpp - what is wrong with an input, in a form a program can act on
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::http {

/// One mistake's kind; the enumerator is the JSON code and stays as it is for ever.
enum class InputErrorCode : std::uint8_t {
    empty_body,           // there is no body where one is needed
    malformed_json,       // not one JSON text in UTF-8: nothing else in it was judged
    too_deep,             // nested deeper than json_depth_max
    wrong_type,           // another JSON type than asked for; 1.0, 1e2 and "1" are not integers
    required,             // a member or parameter is missing
    unknown_member,       // a member this object does not have
    duplicate_member,     // a member given twice
    out_of_range,         // a number, or a count of elements, outside its limits
    invalid_id,           // not 1-64 characters of [A-Za-z0-9._:-]
    invalid_key,          // not an idempotency key: 1-255 visible ASCII characters
    invalid_timestamp,    // not an RFC 3339 date-time with zone
    invalid_choice,       // none of the words allowed here
    invalid_cursor,       // not a cursor this service gave out
    too_long,             // more characters than allowed
    unknown_parameter,    // a query parameter this route does not have
    duplicate_parameter,  // a query parameter given twice
    malformed_encoding,   // a '%' without two hex digits
    invalid_character,    // U+0000 in a text; in a query also bytes that are no UTF-8
};

struct InputError {
    /// Into the body as RFC 6901 has it ("" is the whole body); for a query the parameters are
    /// seen as one object, so "/limit" is `?limit=`.
    std::string pointer;
    InputErrorCode code = InputErrorCode::malformed_json;

    friend bool operator==(const InputError&, const InputError&) = default;
};

/// All mistakes found, in order of appearance (missing members last); at most `input_errors_max`.
using InputErrors = std::vector<InputError>;

inline constexpr std::size_t input_errors_max = 32;

[[nodiscard]] std::string_view name(InputErrorCode code);

/// PostgreSQL takes no U+0000 in a text, so that no text may hold one, whatever the mode.
[[nodiscard]] inline bool has_nul(std::string_view text) {
    return text.find('\0') != std::string_view::npos;
}

/// Appends "/" and the member, with '~' and '/' escaped as RFC 6901 asks.
void append_pointer_token(std::string& pointer, std::string_view member);

}  // namespace firstcome::http
