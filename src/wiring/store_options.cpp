// src/wiring/store_options.cpp - how Redis and PostgreSQL are reached, from the configuration
#include "wiring/store_options.hpp"

#include "base/private_file.hpp"

#include <fmt/format.h>

#include <utility>

namespace firstcome::wiring {

namespace {

constexpr std::size_t password_file_size_max = 4096;

/// Of the file that the option names; nothing where it names none.
std::expected<std::string, std::string> password_in(
    const std::string& file, std::string_view option
) {
    if (file.empty()) return std::string{};
    const auto text =
        base::read_whole_file(file, password_file_size_max, base::Readers::owner_and_group);
    if (!text) return std::unexpected(fmt::format("{}: {} {}", option, file, text.error()));
    std::string line = text->substr(0, text->find_first_of("\r\n"));
    if (line.empty()) {
        return std::unexpected(
            fmt::format("{}: {} is empty; write the password into its first line", option, file)
        );
    }
    return line;
}

}  // namespace

std::expected<redis::ConnectionOptions, std::string> redis_options(const config::Config& config) {
    auto url = redis::parse_url(config.redis.url);
    if (!url) return std::unexpected("redis.url: " + url.error());
    redis::ConnectionOptions options;
    options.url = std::move(*url);
    auto password = password_in(config.redis.password_file, "redis.password_file");
    if (!password) return std::unexpected(std::move(password.error()));
    if (!password->empty()) options.url.password = std::move(*password);
    auto sentinels =
        password_in(config.redis.sentinel_password_file, "redis.sentinel_password_file");
    if (!sentinels) return std::unexpected(std::move(sentinels.error()));
    options.sentinel_password = std::move(*sentinels);
    options.tls = {
        .ca_file = config.redis.tls_ca_file,
        .certificate_file = config.redis.tls_certificate,
        .key_file = config.redis.tls_key};
    options.connect_timeout = config.redis.connect_timeout;
    options.command_timeout = config.redis.command_timeout;
    return options;
}

postgres::ConnectionOptions postgres_options(const config::Config& config, std::string_view name) {
    postgres::ConnectionOptions options;
    options.url = config.postgres.url;
    options.name = "firstcome-" + std::string(name);
    options.connect_timeout = config.postgres.connect_timeout;
    options.call_timeout = config.postgres.statement_timeout;
    return options;
}

}  // namespace firstcome::wiring
