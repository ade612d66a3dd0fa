// src/config/config.hpp - everything that can be set, in one struct; what each means is fields.cpp
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firstcome::config {

using std::chrono::milliseconds;

enum class Mode : std::uint8_t { embedded, distributed };
enum class Durability : std::uint8_t { redis, database };
/// What an answer of level `database` does while PostgreSQL is slow.
enum class SlowDatabase : std::uint8_t { wait, declare };
/// What a breaker's window counts: the last so many calls, or the calls of the last so many
/// seconds.
enum class WindowType : std::uint8_t { count_based, time_based };
enum class AuthMode : std::uint8_t { none, jwt };
enum class TracingExporter : std::uint8_t { none, otlp, zipkin };
/// As OTEL_TRACES_SAMPLER names them.
enum class TracingSampler : std::uint8_t {
    always_on,
    always_off,
    traceidratio,
    parentbased_always_on,
    parentbased_always_off,
    parentbased_traceidratio,
};
enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, off };
enum class LogFormat : std::uint8_t { automatic, json, text };
/// What an alert webhook reads: the JSON Alertmanager sends, or `{"text": ...}`.
enum class AlertFormat : std::uint8_t { generic, slack };
/// Whether each request gets a line.
enum class AccessLog : std::uint8_t { off, on };

/// An address to listen on: a literal IPv4 or IPv6 address, never a name.
struct Endpoint {
    std::string host = "127.0.0.1";
    std::uint16_t port = 8080;  ///< 0: the system picks one

    [[nodiscard]] bool is_loopback() const;
    /// `127.0.0.1:8080`, `[::1]:8080`
    [[nodiscard]] std::string text() const;
    [[nodiscard]] static std::optional<Endpoint> from(std::string_view text);

    friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// So many requests in a period, and so many at once. Zero requests: no limit.
struct Rate {
    std::int32_t count = 0;
    std::chrono::seconds period{1};
    std::int32_t burst = 0;

    /// `100/s burst 200`, `off`
    [[nodiscard]] std::string text() const;
    /// Also `100/s` and `100`: the burst is then twice the count.
    [[nodiscard]] static std::optional<Rate> from(std::string_view text);

    friend bool operator==(const Rate&, const Rate&) = default;
};

/// Defaults stand here; unit, range and meaning of each in fields.cpp and config/firstcome.toml.
struct Config {
    Mode mode = Mode::embedded;
    Durability durability = Durability::redis;

    struct Server {
        Endpoint listen;
        unsigned io_threads = 0;
        std::vector<std::string> trusted_proxies;
        std::string tls_certificate;
        std::string tls_key;
        std::size_t connections_max = 10'000;
        std::size_t batches_max = 256;
        std::size_t reads_max = 1024;
        std::size_t admin_max = 64;
        milliseconds header_timeout{10'000};
        milliseconds body_timeout{10'000};
        milliseconds idle_timeout{60'000};
        milliseconds reply_timeout{10'000};
        std::size_t body_max_bytes = 64 * 1024;
        std::size_t batch_body_max_bytes = 1024 * 1024;
        std::size_t buffers_max_bytes = std::size_t{256} * 1024 * 1024;
    } server;

    struct Data {
        std::string dir = "data";
    } data;

    struct Lane {
        unsigned count = 1;
        std::size_t batch_size_max = 1024;
        std::size_t queue_capacity = 8192;
        milliseconds wait_target{20};
    } lane;

    struct Read {
        unsigned threads = 2;
    } read;

    struct Orders {
        std::int32_t quantity_max = 1000;
    } orders;

    struct Idempotency {
        bool required = false;
        milliseconds ttl = std::chrono::hours{24};
    } idempotency;

    struct RateLimit {
        bool enabled = true;
        bool shadow = false;
        Rate ip{.count = 100, .burst = 200};
        Rate user{.count = 5, .burst = 10};
        Rate ip_orders;
        Rate ip_reads;
        Rate ip_admin;
        std::vector<std::string> allow;
        std::vector<std::string> allow_users;
        std::size_t memory_max_bytes = std::size_t{64} * 1024 * 1024;
    } rate_limit;

    struct Auth {
        AuthMode mode = AuthMode::none;
        std::string key_file;
        std::string jwks_file;
        std::string secret_file;
        std::string issuer;
        std::string audience;
        milliseconds leeway{30'000};
    } auth;

    struct Admin {
        std::string token_file;  ///< empty: see admin_token_file()
        std::string tokens_file;
        std::string client_ca_file;
        std::string listen;  ///< an Endpoint; empty: with everything else
    } admin;

    struct Shutdown {
        milliseconds settle{5'000};
        milliseconds in_flight{10'000};
        milliseconds drain{8'000};
    } shutdown;

    struct Redis {
        std::string url = "redis://127.0.0.1:6379/0";
        std::string password_file;
        std::string sentinel_password_file;
        std::string tls_ca_file;
        std::string tls_certificate;
        std::string tls_key;
        milliseconds connect_timeout{500};
        milliseconds command_timeout{500};
        unsigned replicas_required = 0;
        std::size_t outbox_entries_max = 200'000;
    } redis;

    struct Postgres {
        std::string url = "postgresql://127.0.0.1:5432/firstcome";
        milliseconds connect_timeout{2'000};
        milliseconds statement_timeout{5'000};
        SlowDatabase slow = SlowDatabase::wait;
        milliseconds commit_wait{2'000};
        std::size_t batch_size = 500;
    } postgres;

    struct Breaker {
        WindowType window_type = WindowType::count_based;
        unsigned window_size = 100;
        unsigned minimum_calls = 20;
        unsigned failure_percent = 50;
        unsigned slow_percent = 50;
        milliseconds redis_slow{100};
        milliseconds postgres_slow{500};
        milliseconds webhook_slow{5'000};
        milliseconds open_wait{2'000};
        milliseconds open_wait_max{30'000};
        unsigned half_open_permits = 10;
        milliseconds half_open_max{5'000};
    } breaker;

    struct DeadLetters {
        unsigned attempts_max = 5;
        milliseconds backoff{1'000};
        milliseconds backoff_max = std::chrono::minutes{5};
        milliseconds keep = std::chrono::days{30};
    } dead_letters;

    struct Tracing {
        TracingExporter exporter = TracingExporter::none;
        std::string endpoint;
        std::string headers;
        std::string ca_file;
        milliseconds timeout{10'000};
        TracingSampler sampler = TracingSampler::parentbased_traceidratio;
        double sample_percent = 100;
        milliseconds slow{1'000};
        std::string service_name = "firstcome";
        std::string resource;
    } tracing;

    struct Alerts {
        bool enabled = false;
        milliseconds interval{1'000};
        std::string alertmanager_url;
        std::string webhook_url;
        AlertFormat webhook_format = AlertFormat::generic;
        milliseconds resend{60'000};
        std::string instance;
        unsigned stock_low_percent = 10;
        std::vector<std::string> stock_low_items;
        unsigned error_percent = 5;
        milliseconds error_window{60'000};
        milliseconds latency{500};
        milliseconds dead_letter_age = std::chrono::hours{1};
        milliseconds outbox_age{30'000};
    } alerts;

    struct Webhook {
        std::string url;
        std::string secret_file;
        bool allow_private = false;
        milliseconds connect_timeout{3'000};
        milliseconds timeout{10'000};
        bool from_beginning = false;
    } webhook;

    /// Lines of `checks` and `groups` as health_check.hpp reads them.
    struct Health {
        std::string listen;  ///< empty: only where server.listen is
        milliseconds interval{5'000};
        std::size_t disk_free_min = std::size_t{100} * 1024 * 1024;  ///< bytes
        milliseconds outbox_age_max{60'000};
        unsigned dead_letters_max = 0;
        bool open_breaker_is_down = false;
        std::vector<std::string> checks;
        std::vector<std::string> groups;
    } health;

    struct Log {
        LogLevel level = LogLevel::info;
        LogFormat format = LogFormat::automatic;
        AccessLog access = AccessLog::off;
        unsigned access_sample_percent = 100;
    } log;

    /// OTEL_* variables that were not followed, each a sentence; for `warnings`.
    std::vector<std::string> not_followed{};

    /// `admin.token_file`, or `admin.token` in the data directory.
    [[nodiscard]] std::filesystem::path admin_token_file() const;

    [[nodiscard]] bool has_tls() const { return !server.tls_certificate.empty(); }
};

/// One mistake somebody made, with where they made it.
struct ConfigError {
    std::string origin;   ///< `firstcome.toml:12`, `FIRSTCOME_LANE_COUNT`, `--set`, `--listen`
    std::string key;      ///< `lane.count`; empty when no key is to blame
    std::string message;  ///< what was found, and what is accepted

    [[nodiscard]] std::string text() const;
};

using ConfigErrors = std::vector<ConfigError>;

/// A flag of its own for a key, like `--listen`.
struct Flag {
    std::string flag;  ///< as the user wrote it, for the message
    std::string key;   ///< `server.listen`
    std::string value;
};

/// Where values come from; the later wins: defaults, file, OTEL_* of the environment (otel.hpp),
/// FIRSTCOME_* of the environment, set, flags.
struct Sources {
    std::optional<std::filesystem::path> file{};  ///< none: FIRSTCOME_CONFIG of the environment
    std::vector<std::pair<std::string, std::string>> environment{};  ///< all; FIRSTCOME_* is read
    std::vector<std::string> set{};                                  ///< `section.key=value`
    std::vector<Flag> flags{};
};

struct Loaded {
    Config config{};
    std::map<std::string, std::string> origins{};  ///< key -> origin, for what is not a default
};

/// Errors   every mistake of every source at once, never empty
[[nodiscard]] std::expected<Loaded, ConfigErrors> load(const Sources& sources);

/// The same of a file's text alone; `name` stands in the origins.
[[nodiscard]] std::expected<Loaded, ConfigErrors> load_text(
    std::string_view toml, std::string_view name
);

/// The environment of this program as `Sources` takes it.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> environment_of(
    const char* const* environ_block
);

/// All values as TOML, with the origin of each that is not a default. Secrets are masked.
[[nodiscard]] std::string print(const Loaded& loaded);

/// config/firstcome.toml: every option with meaning, unit, range and default.
[[nodiscard]] std::string reference();

/// What an operator should know at start: listening beyond loopback without TLS, and values that
/// this version reads but does not act on yet. Whole sentences, one each.
[[nodiscard]] std::vector<std::string> warnings(const Config& config);

/// Secrets given on the command line, where other users of the machine see them: a sentence that
/// names their keys. Empty: there are none.
[[nodiscard]] std::string secrets_in_sight(const Loaded& loaded);

/// Why this version must not serve with this configuration: acting as if it had not been said would
/// break what the operator asked for. Empty: serve.
[[nodiscard]] std::vector<std::string> refusals(const Config& config);

/// Keys that differ, by name only.
[[nodiscard]] std::vector<std::string> differences(const Config& now, const Config& next);

/// Keys that differ and need a restart, by name only; empty: `next` may replace `now`.
[[nodiscard]] std::vector<std::string> restart_needed(const Config& now, const Config& next);

}  // namespace firstcome::config
