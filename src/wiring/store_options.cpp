// src/wiring/store_options.cpp - how Redis and PostgreSQL are reached, from the configuration
#include "wiring/store_options.hpp"

#include <fstream>
#include <utility>

namespace firstcome::wiring {

namespace {

/// Of the file that the option names; nothing where it names none.
std::expected<std::string, std::string> password_in(
    const std::string& file, std::string_view option
) {
    if (file.empty()) return std::string{};
    std::ifstream in{file};
    std::string line;
    if (!std::getline(in, line) || line.empty()) {
        return std::unexpected(std::string(option) + ": cannot read a password from " + file);
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
