// src/base/entropy.hpp - where chance comes from; an argument everywhere, like time
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace firstcome::base {

/// A source of random 64-bit words.
class Entropy {
public:
    Entropy() = default;
    Entropy(const Entropy&) = delete;
    Entropy& operator=(const Entropy&) = delete;
    virtual ~Entropy() = default;

    /// Thread   the owner's only; every thread has its own source
    [[nodiscard]] virtual std::uint64_t next() = 0;
};

/// The kernel's generator, read in blocks: unguessable, and about 10 ns a word.
///
/// Source   getrandom(2)
class SystemEntropy final : public Entropy {
public:
    [[nodiscard]] std::uint64_t next() override;

private:
    std::array<std::uint64_t, 128> block_{};
    std::size_t used_ = block_.size();
};

}  // namespace firstcome::base
