// src/adapters/redis/scripts.hpp - the Lua scripts, as the program carries them
#pragma once

#include "adapters/redis/script.hpp"

namespace firstcome::redis {

/// Each file says what it takes and answers.
struct Scripts {
    Script place;
    Script stock;
    Script release;
    Script settle;
    Script acknowledge;
    Script rebuild;
    Script look;
    Script waiting;
};

[[nodiscard]] const Scripts& scripts();

}  // namespace firstcome::redis
