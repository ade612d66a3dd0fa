// src/ports/limit_share.hpp - the port through which nodes tell each other what their clients used
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string_view>
#include <vector>

namespace firstcome::ports {

/// How often one client was allowed something, under one policy.
struct LimitUse {
    std::uint64_t key = 0;  ///< the client's hash, the same on all nodes
    std::uint32_t count = 0;
    std::uint8_t policy = 0;  ///< app::LimitPolicy: a number that never changes its meaning

    friend bool operator==(const LimitUse&, const LimitUse&) = default;
};

enum class LimitShareError : std::uint8_t {
    unavailable,  // nothing was told or heard: each node goes on by its own count
};
[[nodiscard]] std::string_view name(LimitShareError error);

class LimitShare {
public:
    LimitShare() = default;
    LimitShare(const LimitShare&) = delete;
    LimitShare& operator=(const LimitShare&) = delete;
    virtual ~LimitShare() = default;

    /// Tells the other nodes what was used here since the last call, and returns what they told
    /// since then; after an error, or at first, only what they tell from now on.
    ///
    /// Thread   one, never one that serves requests; blocks
    [[nodiscard]] virtual std::expected<std::vector<LimitUse>, LimitShareError> exchange(
        std::span<const LimitUse> used
    ) = 0;
};

}  // namespace firstcome::ports
