// src/adapters/redis/scripts.cpp - the Lua scripts, as the program carries them
#include "adapters/redis/scripts.hpp"

#include "adapters/redis/acknowledge.lua.hpp"
#include "adapters/redis/look.lua.hpp"
#include "adapters/redis/place.lua.hpp"
#include "adapters/redis/rebuild.lua.hpp"
#include "adapters/redis/release.lua.hpp"
#include "adapters/redis/settle.lua.hpp"
#include "adapters/redis/stock.lua.hpp"
#include "adapters/redis/waiting.lua.hpp"

namespace firstcome::redis {

const Scripts& scripts() {
    static const Scripts all{
        .place = Script{place_lua},
        .stock = Script{stock_lua},
        .release = Script{release_lua},
        .settle = Script{settle_lua},
        .acknowledge = Script{acknowledge_lua},
        .rebuild = Script{rebuild_lua},
        .look = Script{look_lua},
        .waiting = Script{waiting_lua},
    };
    return all;
}

}  // namespace firstcome::redis
