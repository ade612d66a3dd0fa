// src/config/load.cpp - from file, environment and flags to one Config, or to every mistake in them
#include "base/assert.hpp"
#include "base/control_characters.hpp"
#include "config/fields.hpp"
#include "config/health_check.hpp"
#include "config/otel.hpp"
#include "config/service_link.hpp"

#define TOML_EXCEPTIONS 0
#include <fmt/format.h>
// A mistake in a file is an error to report, never an assertion of the library.
#define TOML_ASSERT(condition) static_cast<void>(0)
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

namespace firstcome::config {

namespace {

constexpr std::string_view environment_prefix = "FIRSTCOME_";
constexpr std::string_view file_variable = "FIRSTCOME_CONFIG";
constexpr std::string_view failpoints_variable = "FIRSTCOME_FAILPOINTS";  // a test's

/// What somebody wrote, not too long to read.
std::string shown(std::string_view text) {
    constexpr std::size_t shown_max = 80;
    std::string out = "\"";
    out += text.substr(0, shown_max);
    return out + (text.size() > shown_max ? "...\"" : "\"");
}

/// Components the service has by itself, in one mode or the other.
constexpr std::array<std::string_view, 10> health_components{
    "redis",
    "db",
    "outbox",
    "dlq",
    "store",
    "diskSpace",
    "circuitBreakers",
    "conservation",
    "livenessState",
    "readinessState",
};

constexpr std::array<std::string_view, 2> health_groups{"liveness", "readiness"};

struct Reading {
    Loaded loaded;
    ConfigErrors errors;

    void fail(std::string origin, std::string_view key, std::string message) {
        errors.push_back({std::move(origin), std::string{key}, std::move(message)});
    }

    /// Where the option was set; empty: nowhere.
    [[nodiscard]] std::string origin_of(std::string_view key) const {
        const auto origin = loaded.origins.find(std::string{key});
        return origin == loaded.origins.end() ? std::string{} : origin->second;
    }

    void take(const Field& field, std::string_view text, std::string origin) {
        if (assign(field, loaded.config, text)) {
            loaded.origins[std::string{field.key}] = std::move(origin);
            return;
        }
        const std::string found = field.secret ? "is not valid" : "is " + shown(text);
        fail(std::move(origin), field.key, fmt::format("{}; must be {}", found, accepted(field)));
    }
};

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replaced});
        }
    }
    return row.back();
}

/// `unknown; did you mean lane.count?`, in the spelling of the place the mistake was made in.
std::string unknown(std::string_view key, bool in_environment = false) {
    if (!in_environment) {
        for (const Field& field : fields()) {
            if (section_of(field.key) == key && !key.empty()) return "is a section, not an option";
        }
    }
    std::string best;
    std::size_t distance = std::max<std::size_t>(2, key.size() / 3) + 1;
    for (const Field& field : fields()) {
        std::string name = in_environment ? environment_name(field.key) : std::string{field.key};
        // Names far longer than any of ours cannot be close to one.
        if (key.size() > name.size() + distance) continue;
        std::size_t d = edit_distance(key, name);
        if (!in_environment && name_of(field.key) == key) d = 1;  // right name, no section
        if (d >= distance) continue;
        distance = d;
        best = std::move(name);
    }
    if (best.empty()) return "is not an option of this version";
    return fmt::format("is not an option; did you mean {}?", best);
}

/// The value as one would write it in the environment; nothing: TOML's type is not the field's.
std::optional<std::string> text_of(const toml::node& node, const Field& field) {
    Config any;
    const Target target = field.in(any);
    const bool is_duration = std::holds_alternative<milliseconds*>(target);
    const bool is_rate = std::holds_alternative<Rate*>(target);
    const bool is_list = std::holds_alternative<std::vector<std::string>*>(target);
    const bool is_bool = std::holds_alternative<bool*>(target);
    const bool is_decimal = std::holds_alternative<double*>(target);
    const bool is_number = std::holds_alternative<std::int32_t*>(target) ||
                           std::holds_alternative<unsigned*>(target) ||
                           std::holds_alternative<std::size_t*>(target);
    if (const auto* array = node.as_array(); array != nullptr && is_list) {
        std::string joined;
        for (const auto& element : *array) {
            const auto text = element.value_exact<std::string>();
            if (!text || text->empty()) return std::nullopt;
            if (!joined.empty()) joined += list_separator(field.rule);
            joined += *text;
        }
        return joined;
    }
    if (is_list) return std::nullopt;
    if (const auto number = node.value_exact<std::int64_t>())
        return is_number || is_decimal || is_duration || is_rate
                   ? std::optional{fmt::format("{}", *number)}
                   : std::nullopt;
    if (const auto decimal = node.value_exact<double>(); decimal && is_decimal) {
        return fmt::format("{}", *decimal);
    }
    if (const auto truth = node.value_exact<bool>())
        return is_bool ? std::optional{std::string{*truth ? "true" : "false"}} : std::nullopt;
    auto text = node.value_exact<std::string>();
    if (text && (field.bytes || (!is_number && !is_decimal && !is_bool))) return text;
    return std::nullopt;
}

std::string_view type_name(const toml::node& node) {
    if (node.is_table()) return "a table";
    if (node.is_array()) return "an array";
    if (node.is_string()) return "a text";
    if (node.is_integer()) return "an integer";
    if (node.is_floating_point()) return "a floating point number";
    if (node.is_boolean()) return "a boolean";
    return "a date or time";
}

bool is_section(std::string_view name) {
    return std::ranges::any_of(fields(), [&](const Field& field) {
        return section_of(field.key) == name;
    });
}

void read_table(
    const toml::table& table, const std::string& prefix, std::string_view file, Reading& reading
) {
    for (const auto& [name, node] : table) {
        const std::string key = prefix + std::string{name.str()};
        const std::string origin = fmt::format("{}:{}", file, name.source().begin.line);
        const Field* field = find_field(key);
        if (field != nullptr) {
            if (const auto text = text_of(node, *field)) {
                reading.take(*field, *text, origin);
            } else {
                reading.fail(
                    origin, key, fmt::format("is {}; must be {}", type_name(node), accepted(*field))
                );
            }
            continue;
        }
        const toml::table* inner = node.as_table();
        const bool opens_section = prefix.empty() && is_section(key);
        if (inner != nullptr && (opens_section || !inner->empty())) {
            read_table(*inner, key + ".", file, reading);
        } else {
            reading.fail(origin, key, unknown(key));
        }
    }
}

bool is_forbidden_control(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7F;
}

bool is_beyond_ascii(char c) {
    return static_cast<unsigned char>(c) >= 0x80;
}

/// The same with `?` for what is beyond ASCII, which no syntax knows: where this is well formed,
/// such characters stand in texts and comments only.
std::string in_ascii(std::string_view text) {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    std::string copy{text};
    const std::ptrdiff_t from = text.starts_with(byte_order_mark) ? 3 : 0;
    std::replace_if(copy.begin() + from, copy.end(), is_beyond_ascii, '?');
    return copy;
}

std::string_view line_of(std::string_view text, std::size_t number) {
    for (; number > 1; --number) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
    return text.substr(0, text.find('\n'));
}

void read_toml(std::string_view text, std::string_view name, Reading& reading) {
    // TOML forbids both too, but toml++ 3.3 stops the process at "[" and NUL, and its table of
    // white space beyond ASCII has undefined holes: so it first reads a copy without any.
    const auto control = std::ranges::find_if(text, is_forbidden_control);
    if (control != text.end()) {
        const auto line = 1 + std::count(text.begin(), control, '\n');
        reading.fail(fmt::format("{}:{}", name, line), "", "has a control character");
        return;
    }
    toml::parse_result result = toml::parse(in_ascii(text), name);
    const bool well_formed = static_cast<bool>(result);
    if (well_formed) result = toml::parse(text, name);
    if (!result) {
        const auto line = result.error().source().begin.line;
        std::string why{result.error().description()};
        if (!well_formed && std::ranges::any_of(line_of(text, line), is_beyond_ascii)) {
            why = "has a character beyond ASCII outside of quotes, or: " + why;
        }
        reading.fail(fmt::format("{}:{}", name, line), "", std::move(why));
        return;
    }
    read_table(result.table(), "", name, reading);
}

void read_file(const std::filesystem::path& path, Reading& reading) {
    std::ifstream in{path, std::ios::binary};
    std::ostringstream text;
    // Reading a directory opens well and fails here.
    if (!in || !(text << in.rdbuf()) || in.bad()) {
        std::error_code error;
        const bool empty = std::filesystem::is_regular_file(path, error) &&
                           std::filesystem::file_size(path, error) == 0;
        if (empty && !error) return;
        reading.fail(path.string(), "", "cannot be read");
        return;
    }
    read_toml(text.str(), path.string(), reading);
}

const Field* find_by_variable(std::string_view variable) {
    for (const Field& field : fields()) {
        if (environment_name(field.key) == variable) return &field;
    }
    return nullptr;
}

void read_environment(const Sources& sources, Reading& reading) {
    for (const auto& [name, value] : sources.environment) {
        if (!name.starts_with(environment_prefix) || name == file_variable) continue;
        const Field* field = find_by_variable(name);
        if (field != nullptr) {
            reading.take(*field, value, name);
        } else if (name != failpoints_variable && !is_service_link(name, value)) {
            reading.fail(name, "", unknown(name, true));
        }
    }
}

/// Puts into `config` what FIRSTCOME_* or --set say of a choice. False: they say nothing good.
bool assign_last(const Sources& sources, std::string_view key, Config& config) {
    const Field* field = find_field(key);
    FC_ASSERT(field != nullptr);
    bool assigned = false;
    for (const auto& [name, value] : sources.environment) {
        if (name == environment_name(key)) assigned = assign(*field, config, value) || assigned;
    }
    const std::string prefix = std::string(key) + "=";
    for (const std::string& text : sources.set) {
        if (!text.starts_with(prefix)) continue;
        assigned = assign(*field, config, std::string_view{text}.substr(prefix.size())) || assigned;
    }
    return assigned;
}

// A variable made for others too never keeps this program from starting.
void read_otel(const Sources& sources, Reading& reading) {
    // What comes later and wins decides which collector the other variables are about.
    Config later = reading.loaded.config;
    const bool decided = assign_last(sources, "tracing.exporter", later);
    const OtelSettings otel = otel_settings(sources.environment, later.tracing.exporter, decided);
    std::vector<std::string>& ignored = reading.loaded.config.not_followed;
    ignored = otel.not_followed;
    for (const OtelSetting& setting : otel.settings) {
        const Field* field = find_field(setting.key);
        FC_ASSERT(field != nullptr);
        if (assign(*field, reading.loaded.config, setting.value)) {
            reading.loaded.origins[setting.key] = setting.variable;
        } else {
            ignored.push_back(fmt::format(
                "{} is not followed: it must be {}.", setting.variable, accepted(*field)
            ));
        }
    }
}

void read_key(std::string_view key, std::string_view value, std::string origin, Reading& reading) {
    const Field* field = find_field(key);
    if (field == nullptr) {
        reading.fail(std::move(origin), key, unknown(key));
    } else {
        reading.take(*field, value, std::move(origin));
    }
}

void read_set(const Sources& sources, Reading& reading) {
    for (std::size_t at = 0; at < sources.set.size(); ++at) {
        const std::string_view text = sources.set[at];
        const auto equals = text.find('=');
        if (equals == std::string_view::npos) {
            // Not echoed: it may be a secret.
            reading.fail(
                "--set", "", fmt::format("number {} is not of the form section.key=value", at + 1)
            );
            continue;
        }
        read_key(text.substr(0, equals), text.substr(equals + 1), "--set", reading);
    }
}

/// Two things of one name would hide one another in /actuator/health.
void check_health_names(Reading& reading) {
    std::vector<std::string> taken{health_components.begin(), health_components.end()};
    taken.insert(taken.end(), health_groups.begin(), health_groups.end());
    const auto take = [&](std::string_view key, const std::string& name) {
        const bool is_new = std::ranges::find(taken, name) == taken.end();
        taken.push_back(name);
        if (is_new) return;
        reading.fail(reading.origin_of(key), key, shown(name) + " is a name that is taken");
    };
    for (const std::string& line : reading.loaded.config.health.checks) {
        take("health.checks", HealthCheck::from(line)->name);
    }
    for (const std::string& line : reading.loaded.config.health.groups) {
        take("health.groups", HealthGroup::from(line)->name);
    }
}

/// A group of what is not there would be UNKNOWN for ever, and so answered with 200.
void check_health_groups(Reading& reading) {
    constexpr std::string_view key = "health.groups";
    // Where the checks have a mistake it is not known which there are.
    const bool checks_are_good = std::ranges::none_of(reading.errors, [](const ConfigError& each) {
        return each.key == "health.checks";
    });
    if (!checks_are_good) return;
    std::vector<std::string> there{health_components.begin(), health_components.end()};
    for (const std::string& line : reading.loaded.config.health.checks) {
        there.push_back(HealthCheck::from(line)->name);
    }
    for (const std::string& line : reading.loaded.config.health.groups) {
        const auto group = HealthGroup::from(line);
        for (const std::string& name : group->components) {
            if (std::ranges::find(there, name) != there.end()) continue;
            reading.fail(
                reading.origin_of(key),
                key,
                fmt::format(
                    "has {} in {}, which is no component; there are {}",
                    shown(name),
                    shown(group->name),
                    fmt::join(there, ", ")
                )
            );
        }
    }
}

void check_together(Reading& reading) {
    check_health_names(reading);
    check_health_groups(reading);
    const Config& config = reading.loaded.config;
    const bool has_certificate = !config.server.tls_certificate.empty();
    if (has_certificate == !config.server.tls_key.empty()) return;
    const std::string_view given = has_certificate ? "server.tls_certificate" : "server.tls_key";
    const std::string_view missing = has_certificate ? "server.tls_key" : "server.tls_certificate";
    reading.fail(
        reading.origin_of(given), missing, fmt::format("must be set together with {}", given)
    );
}

std::expected<Loaded, ConfigErrors> finish(Reading& reading) {
    check_together(reading);
    if (!reading.errors.empty()) return std::unexpected(std::move(reading.errors));
    return std::move(reading.loaded);
}

}  // namespace

std::string ConfigError::text() const {
    std::string out = origin;
    if (!out.empty()) out += ": ";
    if (!key.empty()) out += key + " ";
    out += message;
    // Keys and values are a stranger's text: they may not move the cursor of a terminal.
    return base::without_controls(out, '?');
}

std::expected<Loaded, ConfigErrors> load(const Sources& sources) {
    Reading reading;
    auto file = sources.file;
    for (const auto& [name, value] : sources.environment) {
        if (!file && name == file_variable && !value.empty()) file = value;
    }
    if (file) read_file(*file, reading);
    read_otel(sources, reading);
    read_environment(sources, reading);
    read_set(sources, reading);
    for (const Flag& flag : sources.flags) read_key(flag.key, flag.value, flag.flag, reading);
    return finish(reading);
}

std::expected<Loaded, ConfigErrors> load_text(std::string_view toml, std::string_view name) {
    Reading reading;
    read_toml(toml, name, reading);
    return finish(reading);
}

std::vector<std::pair<std::string, std::string>> environment_of(const char* const* environ_block) {
    std::vector<std::pair<std::string, std::string>> variables;
    for (; environ_block != nullptr && *environ_block != nullptr; ++environ_block) {
        const std::string_view entry = *environ_block;
        const auto equals = entry.find('=');
        if (equals == std::string_view::npos) continue;
        variables.emplace_back(entry.substr(0, equals), entry.substr(equals + 1));
    }
    return variables;
}

}  // namespace firstcome::config
