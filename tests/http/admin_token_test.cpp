// tests/http/admin_token_test.cpp - who gets in, and which token files are refused
#include "http/admin_token.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace firstcome::http {
namespace {

namespace fs = std::filesystem;

class CountingEntropy final : public base::Entropy {
public:
    std::uint64_t next() override { return ++last_ * 0x0123456789ABCDEFULL; }

private:
    std::uint64_t last_ = 0;
};

class AdminTokenFile : public testing::Test {
protected:
    AdminTokenFile() {
        std::string pattern = (fs::temp_directory_path() / "fc-token-XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
    }

    ~AdminTokenFile() override {
        std::error_code ignored;
        fs::remove_all(folder_, ignored);
    }

    fs::path write(std::string_view text, fs::perms mode = fs::perms{0600}) {
        const fs::path file = folder_ / "admin.token";
        std::ofstream{file, std::ios::binary} << text;
        fs::permissions(file, mode);
        return file;
    }

    fs::path folder_;
    CountingEntropy entropy_;
};

TEST(AdminToken, OnlyTheWholeTokenMatches) {
    const AdminToken token{"s3cret-token"};
    EXPECT_TRUE(token.matches("s3cret-token"));
    for (const char* wrong : {"", "s", "s3cret-toke", "s3cret-token2", "s3cret-tokeN", "S3cret"}) {
        EXPECT_FALSE(token.matches(wrong)) << wrong;
    }
}

TEST(AdminToken, IsReadFromTheAuthorizationHeader) {
    const struct {
        const char* header;
        const char* expect;
        const char* why;
    } rows[] = {
        {"Bearer abc", "abc", "the plain case"},
        {"bearer abc", "abc", "the scheme's case does not matter"},
        {"BEARER   abc ", "abc", "more spaces"},
        {"", "-", "none"},
        {"Bearer", "-", "no token"},
        {"Bearer ", "-", "an empty token"},
        {"Bearer    ", "-", "spaces"},
        {"Bearerabc", "-", "no space"},
        {"Basic YTpi", "-", "another scheme"},
        {"Bearer a b", "-", "two words"},
        {"Bearer a\x01", "-", "a control character"},
        {"abc", "-", "no scheme"},
    };

    for (const auto& row : rows) {
        EXPECT_EQ(bearer_token(row.header).value_or("-"), row.expect) << row.why;
    }
}

TEST_F(AdminTokenFile, IsMadeOnceReadableByTheOwnerOnly) {
    const fs::path file = folder_ / "admin.token";
    const auto made = load_or_create_admin_token(file, entropy_);
    ASSERT_TRUE(made) << made.error().text;
    EXPECT_EQ(made->text().size(), 64U) << "32 bytes as hex";
    EXPECT_EQ(fs::status(file).permissions(), fs::perms{0600});
    const auto entries = std::distance(fs::directory_iterator{folder_}, fs::directory_iterator{});
    EXPECT_EQ(entries, 1) << "nothing unfinished stays";

    const auto again = load_or_create_admin_token(file, entropy_);
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_EQ(again->text(), made->text());
    EXPECT_TRUE(again->matches(made->text()));
}

TEST_F(AdminTokenFile, ACrashWhileMakingItLeavesNoTrap) {
    const fs::path file = folder_ / "admin.token";
    std::ofstream{file.string() + ".new"} << "half";
    const auto made = load_or_create_admin_token(file, entropy_);
    ASSERT_TRUE(made) << made.error().text;
    EXPECT_EQ(made->text().size(), 64U);
}

TEST_F(AdminTokenFile, AnOperatorsOwnTokenIsTaken) {
    const auto token = load_admin_token(write("my-own-token-0123\r\n"));
    ASSERT_TRUE(token) << token.error().text;
    EXPECT_EQ(token->text(), "my-own-token-0123");
    EXPECT_TRUE(load_admin_token(write("read-only-012345", fs::perms{0400})));
}

TEST_F(AdminTokenFile, IsRefusedWithAdvice) {
    const struct {
        std::string text;
        fs::perms mode;
        std::string advice;
        std::string why;
    } rows[] = {
        {"token", fs::perms{0640}, "chmod 600", "the group may read it"},
        {"token", fs::perms{0604}, "chmod 600", "others may read it"},
        {"token", fs::perms{0620}, "chmod 600", "the group may write it"},
        {"", fs::perms{0600}, "is empty", "empty"},
        {" \n\n", fs::perms{0600}, "is empty", "white space only"},
        {"two words", fs::perms{0600}, "one line", "a space within"},
        {"one\ntwo\n", fs::perms{0600}, "one line", "two lines"},
        {"fifteen-letters\n", fs::perms{0600}, "less than 16", "too short"},
        {std::string(5000, 't'), fs::perms{0600}, "4096", "too long"},
    };

    for (const auto& row : rows) {
        const fs::path file = write(row.text, row.mode);
        const auto token = load_or_create_admin_token(file, entropy_);
        ASSERT_FALSE(token) << row.why;
        EXPECT_NE(token.error().text.find(row.advice), std::string::npos) << token.error().text;
        EXPECT_NE(token.error().text.find(file.string()), std::string::npos) << "names the file";
    }
}

TEST_F(AdminTokenFile, IsRefusedWhereThereCanBeNone) {
    const auto missing_folder = load_or_create_admin_token(folder_ / "no" / "token", entropy_);
    ASSERT_FALSE(missing_folder);
    EXPECT_NE(missing_folder.error().text.find("directory"), std::string::npos);

    const auto missing = load_admin_token(folder_ / "none");
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().text.find("admin.token_file"), std::string::npos);

    const fs::path folder = folder_ / "folder";
    fs::create_directory(folder, folder_);
    fs::permissions(folder, fs::perms{0700});
    const auto not_a_file = load_admin_token(folder);
    ASSERT_FALSE(not_a_file);
    EXPECT_NE(not_a_file.error().text.find("is not a file"), std::string::npos);
}

}  // namespace
}  // namespace firstcome::http
