// src/adapters/postgres/storable.cpp - any text as one that PostgreSQL takes
#include "adapters/postgres/storable.hpp"

#include "base/utf8.hpp"

#include <algorithm>

namespace firstcome::postgres {

std::string storable(std::string_view text, std::size_t bytes_max) {
    std::string stored;
    while (!text.empty()) {
        const std::size_t size = text.front() == '\0' ? 0 : base::character_size(text);
        if (stored.size() + std::max<std::size_t>(size, 1) > bytes_max) break;
        stored.append(size > 0 ? text.substr(0, size) : "?");
        text.remove_prefix(std::max<std::size_t>(size, 1));
    }
    return stored;
}

}  // namespace firstcome::postgres
