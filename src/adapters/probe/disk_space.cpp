// src/adapters/probe/disk_space.cpp - the health indicator of the room left for data
#include "adapters/probe/disk_space.hpp"

#include <cerrno>
#include <cstring>
#include <sys/statvfs.h>

namespace firstcome::probe {

using ports::Health;
using ports::HealthStatus;

Health DiskSpace::check() {
    struct ::statvfs room {};

    if (::statvfs(path_.c_str(), &room) != 0) {
        return ports::health_because(
            HealthStatus::down, "cannot look at " + path_ + ": " + std::strerror(errno)
        );
    }
    const std::uint64_t free = std::uint64_t{room.f_bavail} * room.f_frsize;
    const std::uint64_t total = std::uint64_t{room.f_blocks} * room.f_frsize;
    Health health{.status = HealthStatus::up, .details = {}};
    if (free < free_min_) {
        health = ports::health_because(
            HealthStatus::down,
            "less room is left than health.disk_free_min: make room before orders are refused"
        );
    }
    health.details.push_back({.name = "path", .value = path_});
    health.details.push_back({.name = "total", .value = static_cast<std::int64_t>(total)});
    health.details.push_back({.name = "free", .value = static_cast<std::int64_t>(free)});
    health.details.push_back({.name = "threshold", .value = static_cast<std::int64_t>(free_min_)});
    return health;
}

}  // namespace firstcome::probe
