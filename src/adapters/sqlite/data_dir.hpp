// src/adapters/sqlite/data_dir.hpp - the data directory: one owner, one secret, one file per lane
#pragma once

#include "base/entropy.hpp"
#include "base/hash.hpp"

#include <cstddef>
#include <expected>
#include <filesystem>
#include <string>

namespace firstcome::sqlite {

/// Holds the directory for this process alone, for as long as it lives.
///
/// Errors   a sentence that says what is wrong and what to do
/// Thread   main
class DataDir {
public:
    /// Makes the directory (0700) and its lane files where there are none yet.
    [[nodiscard]] static std::expected<DataDir, std::string> open(
        const std::filesystem::path& path, std::size_t lanes, base::Entropy& entropy
    );

    /// An existing directory, for reading, also beside a running server; changes nothing.
    [[nodiscard]] static std::expected<DataDir, std::string> look_at(
        const std::filesystem::path& path
    );

    DataDir(DataDir&& other) noexcept;
    DataDir& operator=(DataDir&&) = delete;
    DataDir(const DataDir&) = delete;
    DataDir& operator=(const DataDir&) = delete;
    ~DataDir();

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

    [[nodiscard]] std::size_t lanes() const { return lanes_; }

    [[nodiscard]] const base::KeyedHash::Secret& secret() const { return secret_; }

    [[nodiscard]] std::string lane_file(std::size_t lane) const;

    /// From now on every lane's log must be there at the next start: it may hold accepted orders.
    [[nodiscard]] std::expected<void, std::string> mark_running();
    /// All logs are empty, and may be missing.
    [[nodiscard]] std::expected<void, std::string> mark_stopped();

private:
    explicit DataDir(std::filesystem::path path) : path_(std::move(path)) {}

    [[nodiscard]] std::expected<void, std::string> lock();
    [[nodiscard]] std::expected<void, std::string> create(
        std::size_t lanes, base::Entropy& entropy
    );
    [[nodiscard]] std::expected<void, std::string> create_lane(std::size_t lane);
    [[nodiscard]] std::expected<void, std::string> read_meta();
    [[nodiscard]] std::expected<void, std::string> check_lane(std::size_t lane) const;
    [[nodiscard]] std::expected<void, std::string> check_logs() const;
    [[nodiscard]] std::expected<void, std::string> sync() const;

    [[nodiscard]] std::filesystem::path running_file() const { return path_ / "RUNNING"; }

    std::filesystem::path path_;
    int lock_file_ = -1;
    std::size_t lanes_ = 0;
    base::KeyedHash::Secret secret_{};
};

}  // namespace firstcome::sqlite
