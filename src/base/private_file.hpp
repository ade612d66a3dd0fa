// src/base/private_file.hpp - reading a file that holds a secret, or must not be half written
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>

namespace firstcome::base {

enum class Readers : std::uint8_t {
    owner_only,       // a secret: no permission for group or others
    owner_and_group,  // a secret somebody else puts there: Debian's group ssl-cert, a volume
    anybody,          // public keys
};

/// The whole file.
///
/// Units    at most `size_max` bytes
/// Errors   what is wrong and what to do, to be put behind the file's name
[[nodiscard]] std::expected<std::string, std::string> read_whole_file(
    const std::filesystem::path& file, std::size_t size_max, Readers readers
);

}  // namespace firstcome::base
