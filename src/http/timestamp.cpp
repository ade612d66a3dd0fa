// src/http/timestamp.cpp - RFC 3339, both ways
#include "http/timestamp.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace firstcome::http {

namespace {

using std::chrono::milliseconds;

constexpr base::WallTime earliest{milliseconds{0}};
constexpr base::WallTime latest{milliseconds{253'402'300'799'999}};  // 9999-12-31T23:59:59.999Z

char* write_digits(char* out, unsigned value, int digits) {
    for (int at = digits - 1; at >= 0; --at) {
        out[at] = static_cast<char>('0' + value % 10);
        value /= 10;
    }
    return out + digits;
}

/// Takes the text apart from the left; the first piece that is missing makes all later ones fail.
class Scanner {
public:
    explicit Scanner(std::string_view text) : rest_(text) {}

    int digits(std::size_t count) {
        if (rest_.size() < count) return fail();
        int value = 0;
        for (const char c : rest_.substr(0, count)) {
            if (c < '0' || c > '9') return fail();
            value = value * 10 + (c - '0');
        }
        rest_.remove_prefix(count);
        return value;
    }

    /// One of `allowed`, which it returns.
    char one_of(std::string_view allowed) {
        if (rest_.empty() || allowed.find(rest_.front()) == std::string_view::npos) {
            fail();
            return '\0';
        }
        const char c = rest_.front();
        rest_.remove_prefix(1);
        return c;
    }

    [[nodiscard]] bool next_is(char c) const { return !rest_.empty() && rest_.front() == c; }

    /// The digits after a point, as milliseconds; what is finer is cut off.
    int fraction() {
        int value = 0;
        int scale = 100;
        std::size_t count = 0;
        while (!rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9') {
            value += (rest_.front() - '0') * scale;
            scale /= 10;
            rest_.remove_prefix(1);
            ++count;
        }
        return count > 0 ? value : fail();
    }

    [[nodiscard]] bool complete() const { return !failed_ && rest_.empty(); }

private:
    int fail() {
        failed_ = true;
        rest_ = {};
        return 0;
    }

    std::string_view rest_;
    bool failed_ = false;
};

}  // namespace

char* write_timestamp(char* out, base::WallTime time) {
    time = std::clamp(time, earliest, latest);
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{day};
    auto rest = static_cast<unsigned>((time - day).count());
    const unsigned millisecond = rest % 1000;
    rest /= 1000;
    out = write_digits(out, static_cast<unsigned>(static_cast<int>(date.year())), 4);
    *out++ = '-';
    out = write_digits(out, static_cast<unsigned>(date.month()), 2);
    *out++ = '-';
    out = write_digits(out, static_cast<unsigned>(date.day()), 2);
    *out++ = 'T';
    out = write_digits(out, rest / 3600, 2);
    *out++ = ':';
    out = write_digits(out, rest / 60 % 60, 2);
    *out++ = ':';
    out = write_digits(out, rest % 60, 2);
    *out++ = '.';
    out = write_digits(out, millisecond, 3);
    *out++ = 'Z';
    return out;
}

std::optional<base::WallTime> parse_timestamp(std::string_view text) {
    Scanner scan{text};
    const int year = scan.digits(4);
    scan.one_of("-");
    const int month = scan.digits(2);
    scan.one_of("-");
    const int day = scan.digits(2);
    scan.one_of("Tt");
    const int hour = scan.digits(2);
    scan.one_of(":");
    const int minute = scan.digits(2);
    scan.one_of(":");
    const int second = scan.digits(2);
    int millisecond = 0;
    if (scan.next_is('.')) {
        scan.one_of(".");
        millisecond = scan.fraction();
    }
    int zone_minutes = 0;
    const char zone = scan.one_of("Zz+-");
    if (zone == '+' || zone == '-') {
        const int zone_hour = scan.digits(2);
        scan.one_of(":");
        const int zone_minute = scan.digits(2);
        if (zone_hour > 23 || zone_minute > 59) return std::nullopt;
        zone_minutes = (zone_hour * 60 + zone_minute) * (zone == '-' ? -1 : 1);
    }
    if (!scan.complete()) return std::nullopt;
    if (hour > 23 || minute > 59 || second > 59) return std::nullopt;

    const std::chrono::year_month_day date{
        std::chrono::year{year},
        std::chrono::month{static_cast<unsigned>(month)},
        std::chrono::day{static_cast<unsigned>(day)}};
    if (!date.ok()) return std::nullopt;
    const base::WallTime time = std::chrono::sys_days{date} + std::chrono::hours{hour} +
                                std::chrono::minutes{minute - zone_minutes} +
                                std::chrono::seconds{second} + milliseconds{millisecond};
    if (time < earliest || time > latest) return std::nullopt;
    return time;
}

}  // namespace firstcome::http
