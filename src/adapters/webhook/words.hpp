// src/adapters/webhook/words.hpp - a stranger's text, made fit for a log, a table and a page
#pragma once

#include <string>
#include <string_view>

namespace firstcome::webhook {

/// On one line, valid UTF-8, 1,000 bytes at most; what is no character becomes `?`.
[[nodiscard]] std::string in_plain_words(std::string_view text);

}  // namespace firstcome::webhook
