// src/http/input_error.cpp - the one spelling of every mistake
#include "http/input_error.hpp"

#include "base/assert.hpp"

namespace firstcome::http {

std::string_view name(InputErrorCode code) {
    switch (code) {
        case InputErrorCode::empty_body: return "empty_body";
        case InputErrorCode::malformed_json: return "malformed_json";
        case InputErrorCode::too_deep: return "too_deep";
        case InputErrorCode::wrong_type: return "wrong_type";
        case InputErrorCode::required: return "required";
        case InputErrorCode::unknown_member: return "unknown_member";
        case InputErrorCode::duplicate_member: return "duplicate_member";
        case InputErrorCode::out_of_range: return "out_of_range";
        case InputErrorCode::invalid_id: return "invalid_id";
        case InputErrorCode::invalid_key: return "invalid_key";
        case InputErrorCode::invalid_timestamp: return "invalid_timestamp";
        case InputErrorCode::invalid_choice: return "invalid_choice";
        case InputErrorCode::invalid_cursor: return "invalid_cursor";
        case InputErrorCode::too_long: return "too_long";
        case InputErrorCode::unknown_parameter: return "unknown_parameter";
        case InputErrorCode::duplicate_parameter: return "duplicate_parameter";
        case InputErrorCode::malformed_encoding: return "malformed_encoding";
        case InputErrorCode::invalid_character: return "invalid_character";
    }
    FC_UNREACHABLE();
}

void append_pointer_token(std::string& pointer, std::string_view member) {
    pointer += '/';
    for (const char c : member) {
        if (c == '~') {
            pointer += "~0";
        } else if (c == '/') {
            pointer += "~1";
        } else {
            pointer += c;
        }
    }
}

}  // namespace firstcome::http
