// tests/support/temp_dir.hpp - a directory that is gone when the test is
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace firstcome::test {

class TempDir {
public:
    /// In `parent` where that exists, else where temporary files go.
    explicit TempDir(const std::filesystem::path& parent = {}) {
        std::error_code ignored;
        const bool there = !parent.empty() && std::filesystem::is_directory(parent, ignored);
        const auto& root = there ? parent : std::filesystem::temp_directory_path();
        std::string pattern = (root / "firstcome-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) std::abort();
        path_ = pattern;
    }

    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

}  // namespace firstcome::test
