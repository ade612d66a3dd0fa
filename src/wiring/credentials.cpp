// src/wiring/credentials.cpp - all that is secret or signed, from files that may change while we
// serve
#include "wiring/credentials.hpp"

#include <filesystem>
#include <iterator>
#include <sys/stat.h>
#include <system_error>
#include <utility>

namespace firstcome::wiring {

namespace {

http::JwtRules rules_of(const config::Config& config) {
    return {
        .issuer = config.auth.issuer,
        .audience = config.auth.audience,
        .leeway = config.auth.leeway};
}

std::vector<std::string> files_of(const config::Config& config) {
    return {
        config.admin_token_file().string(),
        config.admin.tokens_file,
        config.auth.key_file,
        config.auth.jwks_file,
        config.auth.secret_file,
        config.server.tls_certificate,
        config.server.tls_key,
        config.admin.client_ca_file,
    };
}

// Where admin routes have a listener of their own, nobody else is asked for a certificate.
http::ClientCertificate clients_of(const config::Config& config, bool is_admin_listener) {
    if (config.admin.client_ca_file.empty()) return http::ClientCertificate::none;
    if (is_admin_listener) return http::ClientCertificate::required;
    return config.admin.listen.empty() ? http::ClientCertificate::accepted
                                       : http::ClientCertificate::none;
}

http::TlsFiles tls_files_of(const config::Config& config, bool is_admin_listener) {
    return {
        .certificate = config.server.tls_certificate,
        .key = config.server.tls_key,
        .client_ca = config.admin.client_ca_file,
        .clients = clients_of(config, is_admin_listener)};
}

http::JwtKeyFiles jwt_files_of(const config::Config& config) {
    return {
        .pem = config.auth.key_file,
        .jwks = config.auth.jwks_file,
        .secret = config.auth.secret_file};
}

void check_tls(const config::Config& config, std::vector<std::string>& mistakes) {
    for (const bool is_admin_listener : {false, true}) {
        if (is_admin_listener && config.admin.listen.empty()) return;
        const auto tls = http::TlsContext::load(tls_files_of(config, is_admin_listener));
        if (!tls) return mistakes.push_back(tls.error());
    }
}

}  // namespace

std::vector<std::string> mistakes_in_credentials(const config::Config& config) {
    std::vector<std::string> mistakes;
    std::error_code ignored;
    // One that is not there yet is made by the start.
    if (std::filesystem::exists(config.admin_token_file(), ignored)) {
        const auto token = http::load_admin_token(config.admin_token_file());
        if (!token) mistakes.push_back(token.error().text);
    }
    if (!config.admin.tokens_file.empty()) {
        const auto more = http::load_admin_tokens(config.admin.tokens_file);
        if (!more) mistakes.push_back(more.error().text);
    }
    if (config.has_tls()) check_tls(config, mistakes);
    if (config.auth.mode == config::AuthMode::jwt) {
        const auto keys = http::load_jwt_keys(jwt_files_of(config));
        if (!keys) mistakes.push_back(keys.error().text);
    }
    return mistakes;
}

std::expected<void, std::string> Credentials::open(const config::Config& config) {
    stamps_ = stamps_of(config);
    auto fresh = read(config);
    if (!fresh) return std::unexpected(std::move(fresh.error()));
    admins_ = std::make_unique<http::AdminTokens>(std::move(fresh->admins));
    if (fresh->keys) {
        buyers_ = std::make_unique<http::BuyerTokens>(
            rules_of(config), *std::move(fresh->keys), clock_, entropy_
        );
    }
    if (fresh->tls) tls_ = std::make_unique<http::TlsSlot>(std::move(fresh->tls));
    if (fresh->admin_tls) admin_tls_ = std::make_unique<http::TlsSlot>(std::move(fresh->admin_tls));
    // The admin token may have been made just now.
    stamps_ = stamps_of(config);
    return {};
}

std::expected<void, std::string> Credentials::reload(const config::Config& config) {
    // Taken before reading: a file that changes meanwhile is read once more.
    auto stamps = stamps_of(config);
    auto fresh = read(config);
    if (!fresh) return std::unexpected(std::move(fresh.error()));
    stamps_ = std::move(stamps);
    admins_->replace(std::move(fresh->admins));
    if (fresh->keys) buyers_->replace(rules_of(config), *std::move(fresh->keys));
    if (fresh->tls) tls_->put(std::move(fresh->tls));
    if (fresh->admin_tls) admin_tls_->put(std::move(fresh->admin_tls));
    return {};
}

bool Credentials::have_changed(const config::Config& config) {
    auto stamps = stamps_of(config);
    return std::exchange(stamps_, stamps) != stamps;
}

std::expected<Credentials::Fresh, std::string> Credentials::read(const config::Config& config) {
    Fresh fresh;
    const auto token = http::load_or_create_admin_token(config.admin_token_file(), entropy_);
    if (!token) return std::unexpected(token.error().text);
    fresh.admins.push_back(http::admin_entry_of(*token));
    if (!config.admin.tokens_file.empty()) {
        auto more = http::load_admin_tokens(config.admin.tokens_file);
        if (!more) return std::unexpected(std::move(more.error().text));
        std::move(more->begin(), more->end(), std::back_inserter(fresh.admins));
    }
    if (config.has_tls()) {
        auto tls = http::TlsContext::load(tls_files_of(config, false));
        if (!tls) return std::unexpected(std::move(tls.error()));
        fresh.tls = std::move(*tls);
    }
    if (config.has_tls() && !config.admin.listen.empty()) {
        auto tls = http::TlsContext::load(tls_files_of(config, true));
        if (!tls) return std::unexpected(std::move(tls.error()));
        fresh.admin_tls = std::move(*tls);
    }
    if (config.auth.mode != config::AuthMode::jwt) return fresh;
    auto keys = http::load_jwt_keys(jwt_files_of(config));
    if (!keys) return std::unexpected(std::move(keys.error().text));
    fresh.keys = std::move(*keys);
    return fresh;
}

std::vector<Credentials::Stamp> Credentials::stamps_of(const config::Config& config) {
    std::vector<Stamp> stamps;
    for (const std::string& file : files_of(config)) {
        struct stat facts {};

        const bool there = !file.empty() && ::stat(file.c_str(), &facts) == 0;
        stamps.push_back(
            there ? Stamp{
                        static_cast<std::int64_t>(facts.st_dev),
                        static_cast<std::int64_t>(facts.st_ino),
                        facts.st_size,
                        facts.st_mtim.tv_sec * 1'000'000'000 + facts.st_mtim.tv_nsec,
                        facts.st_ctim.tv_sec * 1'000'000'000 + facts.st_ctim.tv_nsec}
                  : Stamp{}
        );
    }
    return stamps;
}

}  // namespace firstcome::wiring
