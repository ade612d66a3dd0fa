// tests/adapters/probe/disk_space_test.cpp - room is told, and too little of it is down
#include "adapters/probe/disk_space.hpp"

#include "tests/support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace firstcome::probe {
namespace {

using ports::HealthStatus;
using testing::HasSubstr;

TEST(DiskSpace, IsUpWithItsFigures) {
    const test::TempDir temp;
    DiskSpace disk{temp.path().string(), 1};
    const ports::Health health = disk.check();
    EXPECT_EQ(health.status, HealthStatus::up);
    ASSERT_EQ(health.details.size(), 4U);
    EXPECT_EQ(health.details[0].name, "path");
    EXPECT_GT(std::get<std::int64_t>(health.details[1].value), 0) << health.details[1].name;
}

TEST(DiskSpace, IsDownWithLessRoomThanAskedFor) {
    const test::TempDir temp;
    DiskSpace disk{temp.path().string(), std::uint64_t{1} << 62U};
    const ports::Health health = disk.check();
    EXPECT_EQ(health.status, HealthStatus::down);
    EXPECT_THAT(std::get<std::string>(health.details[0].value), HasSubstr("health.disk_free_min"));
}

TEST(DiskSpace, IsDownWhereThereIsNothingToLookAt) {
    const test::TempDir temp;
    DiskSpace disk{(temp.path() / "gone").string(), 1};
    const ports::Health health = disk.check();
    EXPECT_EQ(health.status, HealthStatus::down);
    EXPECT_THAT(std::get<std::string>(health.details[0].value), HasSubstr("No such file"));
}

}  // namespace
}  // namespace firstcome::probe
