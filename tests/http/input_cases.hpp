// tests/http/input_cases.hpp - says input errors aloud, so that a table can compare them
#pragma once

#include "http/input_error.hpp"

#include <string>

namespace firstcome::http {

/// "/quantity wrong_type, /userId required"; the whole body is "(body)".
inline std::string aloud(const InputErrors& errors) {
    std::string text;
    for (const InputError& error : errors) {
        if (!text.empty()) text += ", ";
        text += error.pointer.empty() ? "(body)" : error.pointer;
        text += ' ';
        text += name(error.code);
    }
    return text;
}

}  // namespace firstcome::http
