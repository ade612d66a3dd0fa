// src/ports/spans.cpp - span ids that follow from others, and texts fit for a span
#include "ports/spans.hpp"

namespace firstcome::ports {

std::string plain_text(std::string_view text, std::size_t size_max) {
    std::string out{text.substr(0, size_max)};
    for (char& c : out) {
        if (c < ' ' || c > '~') c = '?';
    }
    return out;
}

// SplitMix64's last steps: every bit of the result hangs on every bit of both.
std::uint64_t derived_span_id(std::uint64_t span, std::uint64_t number) {
    std::uint64_t z = span + number * 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
    z ^= z >> 31U;
    return z == 0 ? 1 : z;
}

}  // namespace firstcome::ports
