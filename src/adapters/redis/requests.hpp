// src/adapters/redis/requests.hpp - commands as bytes on the wire, in one buffer that is used again
#pragma once

#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>

namespace firstcome::redis {

/// `*<words>\r\n`, then `$<bytes>\r\n<word>\r\n` for each.
class Requests {
public:
    void clear() {
        bytes_.clear();
        count_ = 0;
    }

    /// Exactly `words` calls of `word` follow.
    void begin(std::size_t words) {
        ++count_;
        add_number('*', words);
    }

    void word(std::string_view word) {
        add_number('$', word.size());
        bytes_.append(word);
        bytes_.append("\r\n", 2);
    }

    template <typename Range>
    void command(const Range& words) {
        begin(std::size(words));
        for (const std::string_view each : words) word(each);
    }

    void append(const Requests& others) {
        bytes_ += others.bytes_;
        count_ += others.count_;
    }

    [[nodiscard]] std::string_view bytes() const { return bytes_; }

    /// Answers to expect.
    [[nodiscard]] std::size_t count() const { return count_; }

private:
    void add_number(char mark, std::size_t number) {
        char digits[24];
        digits[0] = mark;
        char* end = std::to_chars(digits + 1, digits + 22, number).ptr;
        *end++ = '\r';
        *end++ = '\n';
        bytes_.append(digits, static_cast<std::size_t>(end - digits));
    }

    std::string bytes_;
    std::size_t count_ = 0;
};

}  // namespace firstcome::redis
