// src/adapters/probe/disk_space.hpp - the health indicator of the room left for data
#pragma once

#include "ports/health_indicator.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace firstcome::probe {

/// Down when a file system has less than so many bytes for us.
///
/// Source   statvfs(3), f_bavail; the details are named as Spring Boot's
class DiskSpace final : public ports::HealthIndicator {
public:
    DiskSpace(std::string path, std::uint64_t free_min_bytes)
        : path_(std::move(path)), free_min_(free_min_bytes) {}

    [[nodiscard]] std::string_view name() const override { return "diskSpace"; }

    [[nodiscard]] ports::Health check() override;

private:
    const std::string path_;
    const std::uint64_t free_min_;
};

}  // namespace firstcome::probe
