// tests/base/private_file_test.cpp - a secret that others can read is no secret
#include "base/private_file.hpp"

#include "tests/support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sys/stat.h>

namespace firstcome::base {
namespace {

using std::filesystem::perms;
using testing::HasSubstr;

TEST(PrivateFile, IsRefusedToThoseWhoMustNotReadIt) {
    const test::TempDir dir;
    const auto file = dir.path() / "secret";
    std::ofstream{file} << "hush\n";

    struct Row {
        unsigned mode;
        Readers readers;
        bool taken;
    };

    const Row rows[] = {
        {0600, Readers::owner_only, true},
        {0400, Readers::owner_only, true},
        {0640, Readers::owner_only, false},
        {0604, Readers::owner_only, false},
        {0610, Readers::owner_only, false},
        {0640, Readers::owner_and_group, true},
        {0644, Readers::owner_and_group, false},
        {0644, Readers::anybody, true},
    };
    for (const Row& row : rows) {
        std::filesystem::permissions(file, perms{row.mode});
        const auto read = read_whole_file(file, 100, row.readers);
        ASSERT_EQ(read.has_value(), row.taken) << row.mode;
        if (row.taken) {
            EXPECT_EQ(*read, "hush\n");
        } else {
            EXPECT_THAT(read.error(), HasSubstr("run chmod 600 on it"));
        }
    }
}

TEST(PrivateFile, SaysWhatIsWrongWithItsName) {
    const test::TempDir dir;
    const auto file = dir.path() / "secret";
    EXPECT_THAT(
        read_whole_file(file, 100, Readers::anybody).error(), HasSubstr("check its name and owner")
    );
    EXPECT_THAT(
        read_whole_file(dir.path(), 100, Readers::anybody).error(), HasSubstr("not a file")
    );
    ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
    EXPECT_THAT(read_whole_file(file, 100, Readers::anybody).error(), HasSubstr("not a file"))
        << "and nobody waits for a writer";
}

TEST(PrivateFile, IsReadUpToItsBound) {
    const test::TempDir dir;
    const auto file = dir.path() / "secret";
    std::ofstream{file} << "1234";
    EXPECT_EQ(read_whole_file(file, 4, Readers::anybody), "1234");
    EXPECT_THAT(read_whole_file(file, 3, Readers::anybody).error(), HasSubstr("larger than 3"));
}

}  // namespace
}  // namespace firstcome::base
