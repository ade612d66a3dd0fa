// tests/http/idempotency_key_test.cpp - which keys are taken, and what the others are told
#include "http/idempotency_key.hpp"

#include <gtest/gtest.h>

#include <string>

namespace firstcome::http {
namespace {

using namespace std::string_literals;

std::string_view word(KeyError why) {
    switch (why) {
        case KeyError::sent_twice: return "sent_twice";
        case KeyError::empty: return "empty";
        case KeyError::too_long: return "too_long";
        case KeyError::invalid_character: return "invalid_character";
        case KeyError::unbalanced_quotes: return "unbalanced_quotes";
    }
    return "?";
}

std::string judge(std::string_view value) {
    const auto key = parse_idempotency_key(value);
    return key ? "key " + std::string{*key} : std::string{word(key.error())};
}

TEST(IdempotencyKey, IsBareOrQuoted) {
    const std::string longest(255, 'k');

    const struct {
        std::string value;
        std::string expect;
        std::string why;
    } rows[] = {
        {"abc", "key abc", "bare"},
        {R"("abc")", "key abc", "quoted: the same key"},
        {" \tabc ", "key abc", "white space around"},
        {R"( "abc" )", "key abc", "white space around quotes"},
        {"8e03978e-40d5-43e8-bc93-6894a57f9324",
         "key 8e03978e-40d5-43e8-bc93-6894a57f9324",
         "UUID"},
        {"!~", "key !~", "the ends of visible ASCII"},
        {"a,b;c=1", "key a,b;c=1", "punctuation is part of a bare key"},
        {longest, "key " + longest, "the longest"},
        {'"' + longest + '"', "key " + longest, "the longest, quoted"},
        {R"("a\"b\\c")", R"(key a\"b\\c)", "escapes are checked and kept as sent"},
        {"", "empty", "nothing"},
        {"  ", "empty", "white space"},
        {R"("")", "empty", "an empty string"},
        {longest + "k", "too_long", "256"},
        {'"' + longest + "k\"", "too_long", "256 within quotes"},
        {"a b", "invalid_character", "a space"},
        {"a\tb", "invalid_character", "a tab"},
        {"a\x01z", "invalid_character", "a control character"},
        {"a\0b"s, "invalid_character", "NUL"},
        {"a\x7f", "invalid_character", "delete"},
        {"cl\xC3\xA9", "invalid_character", "beyond ASCII"},
        {R"("a b")", "invalid_character", "a space within quotes"},
        {R"("abc)", "unbalanced_quotes", "not closed"},
        {R"(abc")", "unbalanced_quotes", "not opened"},
        {R"(")", "unbalanced_quotes", "one quote"},
        {R"(a"b)", "unbalanced_quotes", "in the middle"},
        {R"("a"b")", "unbalanced_quotes", "three quotes"},
        {R"("a\")", "unbalanced_quotes", "the closing quote is escaped"},
        {R"("a\x")", "unbalanced_quotes", "an unknown escape"},
        {R"("a";p=1)", "unbalanced_quotes", "parameters"},
    };

    for (const auto& row : rows) EXPECT_EQ(judge(row.value), row.expect) << row.why;
}

TEST(IdempotencyKey, SentTwiceIsNoKeyEvenWhenBothAreTheSame) {
    const auto key = parse_idempotency_key("abc", 2);
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error(), KeyError::sent_twice);
}

TEST(IdempotencyKey, EveryRefusalSaysWhatToSend) {
    for (const KeyError why :
         {KeyError::sent_twice,
          KeyError::empty,
          KeyError::too_long,
          KeyError::invalid_character,
          KeyError::unbalanced_quotes}) {
        const bool says_send = detail(why).find("send") != std::string_view::npos ||
                               detail(why).find("Send") != std::string_view::npos;
        EXPECT_TRUE(says_send) << detail(why);
    }
}

}  // namespace
}  // namespace firstcome::http
