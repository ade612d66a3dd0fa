// src/config/print.cpp - the configuration as an operator reads it: values, reference, warnings
#include "config/fields.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace firstcome::config {

namespace {

constexpr std::size_t comment_columns = 100;

std::string comment(std::string_view text) {
    std::string out;
    std::string line = "#";
    while (!text.empty()) {
        const auto space = std::min(text.find(' '), text.size());
        const std::string_view word = text.substr(0, space);
        text.remove_prefix(std::min(space + 1, text.size()));
        if (line.size() + 1 + word.size() > comment_columns) {
            out += line + "\n";
            line = "#";
        }
        line.append(" ").append(word);
    }
    return out + line + "\n";
}

/// Calls `each` for all fields, with a TOML header before every section.
template <typename Each>
std::string in_sections(Each each) {
    std::string out;
    std::string_view section;
    for (const Field& field : fields()) {
        if (section_of(field.key) != section) {
            section = section_of(field.key);
            out += fmt::format("\n[{}]\n", section);
        }
        out += each(field);
    }
    return out;
}

bool is_default(const Field& field, const Config& config) {
    return toml_value(field, config) == toml_value(field, Config{});
}

}  // namespace

std::filesystem::path Config::admin_token_file() const {
    if (!admin.token_file.empty()) return admin.token_file;
    return std::filesystem::path{data.dir} / "admin.token";
}

std::string print(const Loaded& loaded) {
    return in_sections([&](const Field& field) {
        const bool masked = field.secret && !is_default(field, loaded.config);
        const std::string value = masked ? "\"********\"" : toml_value(field, loaded.config);
        const auto origin = loaded.origins.find(std::string{field.key});
        const std::string from =
            origin == loaded.origins.end() ? "" : fmt::format("  # {}", origin->second);
        return fmt::format("{} = {}{}\n", name_of(field.key), value, from);
    });
}

std::string reference() {
    const std::string head =
        "# config/firstcome.toml - every option with its meaning, range and default\n"
        "#\n"
        "# Written by `firstcome print-config --reference`; a test compares the two. Each option\n"
        "# stands here with its default: take the # away to change it. The later wins: defaults,\n"
        "# this file (--config or FIRSTCOME_CONFIG), the environment (FIRSTCOME_<SECTION>_<KEY>),\n"
        "# --set section.key=value, flags of their own. Unknown options are errors. Durations are\n"
        "# written 250ms, 10s, 5m, 24h, 30d; sizes 65536, 64KiB, 1MiB. In the environment and\n"
        "# with --set, lists are separated by commas.\n\n";
    return head + in_sections([](const Field& field) {
               std::string out = "\n" + comment(field.doc);
               if (field.reloadable)
                   out += comment("May change while serving: a SIGHUP has the file read again.");
               if (field.secret) out += comment("A secret: masked where the options are printed.");
               out += comment("Accepted: " + accepted(field) + ".");
               out += comment("Environment: " + environment_name(field.key));
               const std::string_view name = name_of(field.key);
               return out + fmt::format("#{} = {}\n", name, toml_value(field, Config{}));
           });
}

std::vector<std::string> warnings(const Config& config) {
    std::vector<std::string> out;
    if (!config.server.listen.is_loopback() && !config.has_tls()) {
        out.push_back(fmt::format(
            "Listening on {} without TLS: orders and the admin token can be read on the way. Set "
            "server.tls_certificate and server.tls_key, or put a TLS proxy in front.",
            config.server.listen.text()
        ));
    }
    out.insert(out.end(), config.not_followed.begin(), config.not_followed.end());
    const auto admin = Endpoint::from(config.admin.listen);
    if (admin && !admin->is_loopback() && !config.has_tls()) {
        out.push_back(fmt::format(
            "Admin routes on {} without TLS: the admin token can be read on the way.",
            config.admin.listen
        ));
    }
    const auto probes = Endpoint::from(config.health.listen);
    if (probes && !probes->is_loopback()) {
        out.push_back(fmt::format(
            "Probes on {} have no TLS: an admin token sent there can be read on the way.",
            config.health.listen
        ));
    }
    if (config.mode == Mode::distributed && config.webhook.from_beginning) {
        out.emplace_back(
            "webhook.from_beginning is followed in embedded mode only: the webhook gets what "
            "happens "
            "from now on."
        );
    }
    return out;
}

std::string secrets_in_sight(const Loaded& loaded) {
    std::string keys;
    for (const Field& field : fields()) {
        const auto origin = loaded.origins.find(std::string{field.key});
        const bool is_in_sight = origin != loaded.origins.end() && origin->second == "--set";
        if (!field.secret || !is_in_sight || is_default(field, loaded.config)) continue;
        keys.append(keys.empty() ? "" : ", ").append(field.key);
    }
    if (keys.empty()) return {};
    return fmt::format(
        "Other users of this machine can read {} in the list of processes: put it into a file or "
        "into the environment instead of behind --set.",
        keys
    );
}

std::vector<std::string> refusals(const Config& config) {
    std::vector<std::string> out;
    const bool has_keys = !config.auth.key_file.empty() || !config.auth.jwks_file.empty() ||
                          !config.auth.secret_file.empty();
    if (config.auth.mode == AuthMode::jwt && !has_keys) {
        out.emplace_back(
            "auth.mode = jwt needs auth.key_file, auth.jwks_file or auth.secret_file: without a "
            "key no token could be believed."
        );
    }
    if (!config.admin.client_ca_file.empty() && !config.has_tls()) {
        out.emplace_back(
            "admin.client_ca_file needs server.tls_certificate and server.tls_key: without TLS "
            "no client can show a certificate."
        );
    }
    const Config::Server& server = config.server;
    if (server.buffers_max_bytes / 2 <
        std::max(server.body_max_bytes, server.batch_body_max_bytes)) {
        out.emplace_back(
            "server.buffers_max_bytes must be at least twice server.body_max_bytes and "
            "server.batch_body_max_bytes: else one large body would never find room."
        );
    }
    return out;
}

std::vector<std::string> differences(const Config& now, const Config& next) {
    std::vector<std::string> out;
    for (const Field& field : fields()) {
        if (toml_value(field, now) != toml_value(field, next)) out.emplace_back(field.key);
    }
    return out;
}

std::vector<std::string> restart_needed(const Config& now, const Config& next) {
    std::vector<std::string> out;
    for (const Field& field : fields()) {
        if (field.reloadable || toml_value(field, now) == toml_value(field, next)) continue;
        out.emplace_back(field.key);
    }
    if (now.has_tls() != next.has_tls()) out.emplace_back("server.tls_certificate");
    return out;
}

}  // namespace firstcome::config
