// src/config/fields.hpp - the table of fields: loading, printing and the reference file all read it
#pragma once

#include "config/config.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace firstcome::config {

/// An enumeration: its value as an index into its spellings.
struct Choice {
    std::uint8_t* index = nullptr;
    std::span<const std::string_view> names;
};

/// Where a field's value stands in a Config; the type says how it is written.
using Target = std::variant<
    bool*,
    std::int32_t*,
    unsigned*,
    std::size_t*,
    double*,
    milliseconds*,
    std::string*,
    std::vector<std::string>*,
    Endpoint*,
    Rate*,
    Choice>;

/// What a text must be, beyond being a text.
enum class TextRule : std::uint8_t {
    any,
    not_empty,
    http_url,
    redis_url,
    listen,        // an address and a port, or nothing
    ids,           // of a list: users or items
    item_percent,  // of a list: an item and a percent
    health_check,  // of a list: each a HealthCheck
    health_group,  // of a list: each a HealthGroup
};

/// What stands between the parts of a list where it is one line of text.
[[nodiscard]] constexpr char list_separator(TextRule rule) {
    // A health check may hold commas.
    const bool lines = rule == TextRule::health_check || rule == TextRule::health_group;
    return lines ? ';' : ',';
}

struct Field {
    std::string_view key;  ///< `lane.count`
    Target (*in)(Config&) = nullptr;
    std::string_view doc;  ///< whole sentences
    std::int64_t min = 0;  ///< numbers, milliseconds, bytes
    std::int64_t max = 0;  ///< the same
    bool bytes = false;    ///< a number that may be written `64KiB`
    TextRule rule = TextRule::any;
    bool secret = false;      ///< never printed
    bool reloadable = false;  ///< may change while serving
};

[[nodiscard]] std::span<const Field> fields();
[[nodiscard]] const Field* find_field(std::string_view key);

/// `lane` of `lane.count`; empty for `mode`.
[[nodiscard]] std::string_view section_of(std::string_view key);
/// `count` of `lane.count`
[[nodiscard]] std::string_view name_of(std::string_view key);
/// `FIRSTCOME_LANE_COUNT`
[[nodiscard]] std::string environment_name(std::string_view key);

/// `an integer from 1 to 64`, `one of embedded, distributed`
[[nodiscard]] std::string accepted(const Field& field);

/// Puts what `text` says into `config`. False: it is not what the field accepts; nothing changed.
[[nodiscard]] bool assign(const Field& field, Config& config, std::string_view text);

/// The value as TOML writes it.
[[nodiscard]] std::string toml_value(const Field& field, Config config);

/// `shoe=20` of `alerts.stock_low_items`: an item and its own percent. Nothing: not of that form.
[[nodiscard]] std::optional<std::pair<std::string, unsigned>> item_percent_from(
    std::string_view text
);

/// `250ms`, `10s`, `5m`, `24h`, `30d`; zero needs no unit.
[[nodiscard]] std::optional<milliseconds> duration_from(std::string_view text);
/// In the largest unit that is exact.
[[nodiscard]] std::string duration_text(milliseconds duration);

}  // namespace firstcome::config
