// tests/http/admin_tokens_test.cpp - named tokens with scopes: which file is believed, who may what
#include "http/admin_tokens.hpp"

#include "tests/support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace firstcome::http {
namespace {

using testing::HasSubstr;

// sha256 of "ops-token-0123456789"
constexpr std::string_view ops_digest =
    "sha256:d51a4891ede9d7c8a89088e5f255d5852a7154ab4b92ad562614e8d0824bfc2b";

std::string told(std::string_view text) {
    const auto entries = parse_admin_tokens(text);
    return entries ? std::to_string(entries->size()) + " tokens" : entries.error();
}

AdminTokens tokens_of(std::string_view text) {
    auto entries = parse_admin_tokens(text);
    EXPECT_TRUE(entries) << entries.error();
    return AdminTokens{std::move(*entries)};
}

TEST(AdminTokens, AreALineEach) {
    EXPECT_EQ(told(""), "0 tokens");
    EXPECT_EQ(told("\n  \n# nobody yet\n"), "0 tokens");
    EXPECT_EQ(
        told("ci  read\tread-token-0123456\r\n# a word\nops all " + std::string(ops_digest)),
        "2 tokens"
    );
    EXPECT_EQ(told("a read 0123456789abcdef\na read 0123456789abcdeg"), "2 tokens")
        << "one name, two tokens: while they change";
}

TEST(AdminTokens, AMistakeIsToldWithItsLineAndWithoutTheSecret) {
    const struct {
        const char* line;
        const char* told;
    } rows[] = {
        {"ops", "must be: name scope"},
        {"ops all", "must be: name scope"},
        {"ops all 0123456789abcdef more", "must be: name scope"},
        {"o/ps all 0123456789abcdef", "the name must be"},
        {"ops root 0123456789abcdef", "scopes are"},
        {"ops read, 0123456789abcdef", "scopes are"},
        {"ops all secret-short", "at least 16"},
        {"ops all sha256:abc", "64 hex digits"},
        {"ops all s\xC3\xA4"
         "cret-0123456789",
         "visible ASCII"},
        {"ci all first-token-012345", "there already"},
    };

    for (const auto& row : rows) {
        const std::string text = "ci read first-token-012345\n" + std::string(row.line);
        EXPECT_THAT(told(text), HasSubstr("line 2: ")) << row.line;
        EXPECT_THAT(told(text), HasSubstr(row.told)) << row.line;
        EXPECT_EQ(told(text).find("secret"), std::string::npos) << row.line;
    }
    std::string many;
    for (std::size_t i = 0; i <= admin_entries_max; ++i) {
        many += "n read token-0123456789-" + std::to_string(i) + "\n";
    }
    EXPECT_THAT(told(many), HasSubstr("more than 100"));
}

TEST(AdminTokens, MayDoWhatTheirScopesSayAndNothingElse) {
    const AdminTokens tokens = tokens_of(
        "r read read-token-0123456\ns stock stock-token-012345\nd dlq dlq-token-01234567\n"
        "b breaker breaker-token-0123\nm read,stock mixed-token-012345\na all all-token-01234567\n"
    );

    const struct {
        const char* token;
        const char* may;  // in the order of admin_scopes
    } rows[] = {
        {"read-token-0123456", "10000"},
        {"stock-token-012345", "01000"},
        {"dlq-token-01234567", "00100"},
        {"breaker-token-0123", "00010"},
        {"mixed-token-012345", "11000"},
        {"all-token-01234567", "11111"},
    };

    for (const auto& row : rows) {
        std::string may;
        for (const AdminScope scope : admin_scopes) {
            const auto admin = tokens.find(row.token, scope);
            may += admin ? '1' : '0';
            EXPECT_TRUE(admin || admin.error() == AdminFault::not_scoped);
        }
        EXPECT_EQ(may, row.may) << row.token;
    }
}

TEST(AdminTokens, NameWhoAsksAndKnowNobodyElse) {
    AdminTokens tokens = tokens_of("ops all " + std::string(ops_digest));
    EXPECT_EQ(tokens.find("ops-token-0123456789", AdminScope::dlq)->name, "ops");
    for (const char* wrong : {"", "ops", "ops-token-012345678", "ops-token-01234567890"}) {
        const auto admin = tokens.find(wrong, AdminScope::read);
        ASSERT_FALSE(admin) << wrong;
        EXPECT_EQ(admin.error(), AdminFault::unknown);
    }
    EXPECT_FALSE(tokens.find(std::nullopt, AdminScope::read));
    EXPECT_FALSE(tokens.find(ops_digest, AdminScope::read)) << "the digest is no token";
}

TEST(AdminTokens, TheOneTokenMayDoEverythingUntilItIsReplaced) {
    AdminTokens tokens{AdminToken{"short"}};
    EXPECT_EQ(tokens.find("short", AdminScope::all)->name, "admin");
    tokens.replace({admin_entry_of(AdminToken{"other"})});
    EXPECT_FALSE(tokens.find("short", AdminScope::read));
    EXPECT_TRUE(tokens.find("other", AdminScope::read));
}

TEST(AdminTokens, AFileOthersMayReadIsRefused) {
    const test::TempDir dir;
    const auto file = dir.path() / "tokens";
    std::ofstream{file} << "ci read read-token-0123456\n";
    std::filesystem::permissions(file, std::filesystem::perms{0640});
    const auto open = load_admin_tokens(file);
    ASSERT_FALSE(open);
    EXPECT_THAT(open.error().text, HasSubstr("admin.tokens_file " + file.string()));
    EXPECT_THAT(open.error().text, HasSubstr("chmod 600"));
    std::filesystem::permissions(file, std::filesystem::perms{0600});
    EXPECT_EQ(load_admin_tokens(file)->size(), 1U);
    std::ofstream{file} << "ci";
    EXPECT_THAT(load_admin_tokens(file).error().text, HasSubstr("line 1"));
    EXPECT_THAT(load_admin_tokens(dir.path() / "none").error().text, HasSubstr("cannot be read"));
}

TEST(AdminScope, HasOneSpelling) {
    for (const AdminScope scope : admin_scopes) EXPECT_EQ(admin_scope_from(name(scope)), scope);
    EXPECT_EQ(admin_scope_from("Read"), std::nullopt);
}

}  // namespace
}  // namespace firstcome::http
