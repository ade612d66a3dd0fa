// src/config/values.cpp - how each kind of value is read and written
#include "base/ip_network.hpp"
#include "base/utf8.hpp"
#include "config/fields.hpp"
#include "config/health_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cctype>
#include <charconv>
#include <limits>

namespace firstcome::config {

namespace {

constexpr std::int32_t rate_count_max = 1'000'000;

std::optional<std::int64_t> integer_from(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

struct UnitName {
    std::string_view name;
    std::int64_t factor;
};

constexpr std::array duration_units{
    UnitName{"ms", 1},
    UnitName{"s", 1000},
    UnitName{"m", 60'000},
    UnitName{"h", 3'600'000},
    UnitName{"d", 86'400'000},
};
constexpr std::array size_units{
    UnitName{"", 1},
    UnitName{"KiB", 1024},
    UnitName{"MiB", 1024 * 1024},
    UnitName{"GiB", 1024 * 1024 * 1024},
};

std::optional<std::int64_t> with_unit(std::string_view text, std::span<const UnitName> units) {
    const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto number = integer_from(text.substr(0, digits));
    if (!number) return std::nullopt;
    const auto* unit = std::find_if(units.data(), units.data() + units.size(), [&](const auto& u) {
        return u.name == text.substr(digits);
    });
    if (unit == units.data() + units.size()) return std::nullopt;
    if (*number > std::numeric_limits<std::int64_t>::max() / unit->factor) return std::nullopt;
    return *number * unit->factor;
}

std::string largest_exact_unit(std::int64_t value, std::span<const UnitName> units) {
    std::size_t best = 0;
    for (std::size_t at = 0; at < units.size(); ++at) {
        if (value != 0 && value % units[at].factor == 0) best = at;
    }
    return fmt::format("{}{}", value / units[best].factor, units[best].name);
}

std::string size_text(std::int64_t bytes) {
    return largest_exact_unit(bytes, size_units);
}

std::vector<std::string> list_from(std::string_view text, char separator) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const auto comma = std::min(text.find(separator), text.size());
        std::string_view part = text.substr(0, comma);
        text.remove_prefix(std::min(comma + 1, text.size()));
        while (part.starts_with(' ')) part.remove_prefix(1);
        while (part.ends_with(' ')) part.remove_suffix(1);
        parts.emplace_back(part);
    }
    return parts;
}

bool is_address_or_network(const std::string& text) {
    return base::IpNetwork::from(text).has_value();
}

/// As domain/types.hpp has it.
bool is_id(const std::string& text) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == ':' || c == '-';
    };
    return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, allowed);
}

bool is_item_percent(const std::string& text) {
    return item_percent_from(text).has_value();
}

constexpr std::array<std::string_view, 6> redis_schemes{
    "redis://",
    "rediss://",
    "redis+sentinel://",
    "rediss+sentinel://",
    "redis+cluster://",
    "rediss+cluster://",
};

bool follows(TextRule rule, std::string_view text) {
    // A control character in a path or an address is a mistake, and could forge a log line.
    if (std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; }))
        return false;
    if (!base::is_utf8(text)) return false;  // what is printed could not be read again
    switch (rule) {
        case TextRule::any: return true;
        case TextRule::not_empty: return !text.empty();
        case TextRule::http_url:
            return text.empty() || text.starts_with("http://") || text.starts_with("https://");
        case TextRule::redis_url:
            return std::ranges::any_of(redis_schemes, [text](std::string_view scheme) {
                return text.starts_with(scheme);
            });
        case TextRule::listen: return text.empty() || Endpoint::from(text).has_value();
        case TextRule::ids:
        case TextRule::item_percent:
        case TextRule::health_check:
        case TextRule::health_group: break;  // of lists only
    }
    return false;
}

std::string in_quotes(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

bool is_part(TextRule rule, const std::string& part) {
    if (!follows(TextRule::not_empty, part)) return false;
    if (rule == TextRule::ids) return is_id(part);
    if (rule == TextRule::item_percent) return is_item_percent(part);
    if (rule == TextRule::health_check) return HealthCheck::from(part).has_value();
    if (rule == TextRule::health_group) return HealthGroup::from(part).has_value();
    return is_address_or_network(part);
}

struct Reader {
    const Field& field;
    std::string_view text;

    template <typename Number>
    bool number(Number* to) const {
        const auto value = field.bytes ? with_unit(text, size_units) : integer_from(text);
        if (!value || *value < field.min || *value > field.max) return false;
        *to = static_cast<Number>(*value);
        return true;
    }

    bool operator()(std::int32_t* to) const { return number(to); }

    bool operator()(unsigned* to) const { return number(to); }

    bool operator()(std::size_t* to) const { return number(to); }

    bool operator()(double* to) const {
        double value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc{} || end != text.data() + text.size()) return false;
        // Written so that "nan" is outside too.
        const bool inside =
            value >= static_cast<double>(field.min) && value <= static_cast<double>(field.max);
        if (inside) *to = value;
        return inside;
    }

    bool operator()(bool* to) const {
        if (text != "true" && text != "false") return false;
        *to = text == "true";
        return true;
    }

    bool operator()(milliseconds* to) const {
        const auto value = duration_from(text);
        if (!value || value->count() < field.min || value->count() > field.max) return false;
        *to = *value;
        return true;
    }

    bool operator()(std::string* to) const {
        if (!follows(field.rule, text)) return false;
        *to = text;
        return true;
    }

    bool operator()(std::vector<std::string>* to) const {
        auto parts = list_from(text, list_separator(field.rule));
        const auto good = [this](const std::string& part) { return is_part(field.rule, part); };
        if (!std::ranges::all_of(parts, good)) return false;
        *to = std::move(parts);
        return true;
    }

    template <typename T>

    requires(std::same_as<T, Endpoint> || std::same_as<T, Rate>) bool operator()(T* to) const {
        auto value = T::from(text);
        if (!value) return false;
        *to = *std::move(value);
        return true;
    }

    bool operator()(Choice to) const {
        const auto found = std::ranges::find(to.names, text);
        if (found == to.names.end()) return false;
        *to.index = static_cast<std::uint8_t>(found - to.names.begin());
        return true;
    }
};

struct Writer {
    const Field& field;

    template <typename Number>

    requires std::integral<Number> std::string operator()(const Number* value) const {
        const auto text =
            field.bytes ? size_text(static_cast<std::int64_t>(*value)) : std::string{};
        const bool has_unit = !text.empty() && text.back() == 'B';
        return has_unit ? in_quotes(text) : fmt::format("{}", *value);
    }

    std::string operator()(const double* value) const { return fmt::format("{}", *value); }

    std::string operator()(const milliseconds* value) const {
        return in_quotes(duration_text(*value));
    }

    std::string operator()(const std::string* value) const { return in_quotes(*value); }

    std::string operator()(const Endpoint* value) const { return in_quotes(value->text()); }

    std::string operator()(const Rate* value) const { return in_quotes(value->text()); }

    std::string operator()(Choice value) const { return in_quotes(value.names[*value.index]); }

    std::string operator()(const std::vector<std::string>* values) const {
        std::vector<std::string> parts;
        for (const auto& value : *values) parts.push_back(in_quotes(value));
        return fmt::format("[{}]", fmt::join(parts, ", "));
    }
};

struct Accepted {
    const Field& field;

    template <typename Number>

    requires std::integral<Number> std::string operator()(const Number*) const {
        if (!field.bytes) return fmt::format("an integer from {} to {}", field.min, field.max);
        return fmt::format(
            "a size from {} to {}, like 65536, 64KiB or 1MiB",
            size_text(field.min),
            size_text(field.max)
        );
    }

    std::string operator()(const double*) const {
        return fmt::format("a number from {} to {}", field.min, field.max);
    }

    std::string operator()(const bool*) const { return "true or false"; }

    std::string operator()(const milliseconds*) const {
        return fmt::format(
            "a duration from {} to {}, like 250ms, 10s, 5m, 24h or 30d",
            duration_text(milliseconds{field.min}),
            duration_text(milliseconds{field.max})
        );
    }

    std::string operator()(const std::string*) const {
        switch (field.rule) {
            case TextRule::any: return "a text in UTF-8 without control characters";
            case TextRule::not_empty:
                return "a text that is not empty, in UTF-8 without control characters";
            case TextRule::http_url: return "an address that starts with http:// or https://";
            case TextRule::redis_url:
                return "an address that starts with redis://, redis+sentinel:// or "
                       "redis+cluster://, or these with rediss";
            case TextRule::listen: return "an IP address and a port, like 127.0.0.1:8081, or empty";
            case TextRule::ids:
            case TextRule::item_percent:
            case TextRule::health_check:
            case TextRule::health_group: break;  // of lists only
        }
        return "a text";
    }

    std::string operator()(const std::vector<std::string>*) const {
        if (field.rule == TextRule::health_check) {
            return "lines like \"orders-db tcp 10.0.0.5:5432 timeout=1s\", \"shop http "
                   "https://shop.example/up expect=200\" or \"queue metric "
                   "firstcome_lane_queue_depth{lane=\\\"0\\\"} < 4000\"";
        }
        if (field.rule == TextRule::health_group) {
            return "lines of a name and components, like \"checkout store orders-db\"";
        }
        if (field.rule == TextRule::ids) return "ids of 1 to 64 letters, digits, and . _ : -";
        if (field.rule == TextRule::item_percent)
            return "items with a percent from 1 to 99, like shoe=20";
        return "IP addresses or networks, like 10.0.0.0/8";
    }

    std::string operator()(const Endpoint*) const {
        return "an IP address and a port, like 127.0.0.1:8080 or [::1]:8080";
    }

    std::string operator()(const Rate*) const {
        return fmt::format(
            "a rate like 100/s burst 200 (/s, /m or /h, 1 to {}), or off", rate_count_max
        );
    }

    std::string operator()(Choice choice) const {
        return fmt::format("one of {}", fmt::join(choice.names, ", "));
    }
};

}  // namespace

// An item is written as everywhere: 1-64 characters of [A-Za-z0-9._:-].
std::optional<std::pair<std::string, unsigned>> item_percent_from(std::string_view text) {
    const auto equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0 || equals > 64) return std::nullopt;
    const std::string_view item = text.substr(0, equals);
    const bool plain = std::ranges::all_of(item, [](unsigned char c) {
        return std::isalnum(c) != 0 ||
               std::string_view{"._:-"}.find(static_cast<char>(c)) != std::string_view::npos;
    });
    const auto percent = integer_from(text.substr(equals + 1));
    if (!plain || !percent || *percent < 1 || *percent > 99) return std::nullopt;
    return std::pair{std::string{item}, static_cast<unsigned>(*percent)};
}

std::optional<milliseconds> duration_from(std::string_view text) {
    if (text == "0") return milliseconds{0};
    const auto value = with_unit(text, duration_units);
    if (!value) return std::nullopt;
    return milliseconds{*value};
}

std::string duration_text(milliseconds duration) {
    if (duration.count() == 0) return "0s";
    return largest_exact_unit(duration.count(), duration_units);
}

std::string accepted(const Field& field) {
    Config any;
    return std::visit(Accepted{field}, field.in(any));
}

bool assign(const Field& field, Config& config, std::string_view text) {
    return std::visit(Reader{field, text}, field.in(config));
}

std::string toml_value(const Field& field, Config config) {
    return std::visit(Writer{field}, field.in(config));
}

bool Endpoint::is_loopback() const {
    in_addr v4{};
    if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24U) == 127;
    return host == "::1";
}

std::string Endpoint::text() const {
    const bool is_v6 = host.find(':') != std::string::npos;
    return fmt::format(fmt::runtime(is_v6 ? "[{}]:{}" : "{}:{}"), host, port);
}

std::optional<Endpoint> Endpoint::from(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto port = integer_from(text.substr(colon + 1));
    if (!port || *port < 0 || *port > std::numeric_limits<std::uint16_t>::max())
        return std::nullopt;
    std::string_view host = text.substr(0, colon);
    const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    if (host.contains('\0')) return std::nullopt;  // where inet_pton would stop reading
    Endpoint endpoint{.host = std::string{host}, .port = static_cast<std::uint16_t>(*port)};
    std::array<unsigned char, sizeof(in6_addr)> parsed{};
    const int family = bracketed ? AF_INET6 : AF_INET;
    if (inet_pton(family, endpoint.host.c_str(), parsed.data()) != 1) return std::nullopt;
    return endpoint;
}

std::string Rate::text() const {
    if (count == 0) return "off";
    const char unit = period == std::chrono::hours{1}     ? 'h'
                      : period == std::chrono::minutes{1} ? 'm'
                                                          : 's';
    return fmt::format("{}/{} burst {}", count, unit, burst);
}

std::optional<Rate> Rate::from(std::string_view text) {
    if (text == "off" || text == "0") return Rate{};
    constexpr std::string_view burst_word = " burst ";
    const auto at = text.find(burst_word);
    std::string_view rate = text.substr(0, at);
    std::chrono::seconds period{1};
    if (rate.ends_with("/m")) period = std::chrono::minutes{1};
    if (rate.ends_with("/h")) period = std::chrono::hours{1};
    if (rate.ends_with("/s") || rate.ends_with("/m") || rate.ends_with("/h")) rate.remove_suffix(2);
    const auto count = integer_from(rate);
    if (!count || *count < 1 || *count > rate_count_max) return std::nullopt;
    std::int64_t burst = *count * 2;
    if (at != std::string_view::npos) {
        const auto given = integer_from(text.substr(at + burst_word.size()));
        if (!given || *given < 1 || *given > 2 * rate_count_max) return std::nullopt;
        burst = *given;
    }
    return Rate{
        .count = static_cast<std::int32_t>(*count),
        .period = period,
        .burst = static_cast<std::int32_t>(burst),
    };
}

}  // namespace firstcome::config
