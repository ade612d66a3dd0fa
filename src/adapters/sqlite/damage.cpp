// src/adapters/sqlite/damage.cpp - what an operator is told when a lane's file cannot be believed
#include "adapters/sqlite/damage.hpp"

#include <fmt/format.h>

namespace firstcome::sqlite {

std::string damaged(std::string_view what) {
    return fmt::format(
        "the data is damaged: {}. Nothing was changed and nothing is sold from it. Keep the"
        " directory as it is, run `firstcome audit` on a copy of it for the whole list, and restore"
        " the newest backup",
        what
    );
}

std::string read_failed(const SqliteError& error) {
    if (error.kind == SqliteError::Kind::corrupt) return damaged(error.text);
    return fmt::format("cannot read the data: {}", error.text);
}

}  // namespace firstcome::sqlite
