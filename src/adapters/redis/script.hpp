// src/adapters/redis/script.hpp - a Lua script and the name Redis knows it by
#pragma once

#include <string>
#include <string_view>

namespace firstcome::redis {

class Script {
public:
    explicit Script(std::string_view text);

    [[nodiscard]] std::string_view text() const { return text_; }

    /// 40 hexadecimal digits.
    [[nodiscard]] std::string_view sha1() const { return sha1_; }

private:
    std::string text_;
    std::string sha1_;
};

}  // namespace firstcome::redis
