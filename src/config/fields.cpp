// src/config/fields.cpp - every option: what it means, what it may be, since when it does something
#include "config/fields.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace firstcome::config {

namespace {

// In the order of the enumerators.
constexpr std::array<std::string_view, 2> names_of(Mode) {
    return {"embedded", "distributed"};
}

constexpr std::array<std::string_view, 2> names_of(Durability) {
    return {"redis", "database"};
}

constexpr std::array<std::string_view, 2> names_of(SlowDatabase) {
    return {"wait", "declare"};
}

constexpr std::array<std::string_view, 2> names_of(WindowType) {
    return {"COUNT_BASED", "TIME_BASED"};
}

constexpr std::array<std::string_view, 2> names_of(AuthMode) {
    return {"none", "jwt"};
}

constexpr std::array<std::string_view, 3> names_of(TracingExporter) {
    return {"none", "otlp", "zipkin"};
}

constexpr std::array<std::string_view, 6> names_of(LogLevel) {
    return {"trace", "debug", "info", "warn", "error", "off"};
}

constexpr std::array<std::string_view, 3> names_of(LogFormat) {
    return {"auto", "json", "text"};
}

template <typename T>
Target target(T& value) {
    if constexpr (std::is_enum_v<T>) {
        static constexpr auto names = names_of(T{});
        // An unsigned char may look at any object; all our enums are one byte.
        static_assert(sizeof(T) == 1);
        return Choice{.index = reinterpret_cast<std::uint8_t*>(&value), .names = names};
    } else {
        return &value;
    }
}

constexpr std::int64_t seconds = 1000;  // in milliseconds, like all durations below
constexpr std::int64_t minutes = 60 * seconds;
constexpr std::int64_t hours = 60 * minutes;
constexpr std::int64_t days = 24 * hours;
constexpr std::int64_t kib = 1024;  // in bytes
constexpr std::int64_t mib = 1024 * kib;

// One spelling for the key and the member it names.
#define FC_FIELD(path) \
    .key = #path, .in = [](Config& config) -> Target { return target(config.path); }

constexpr Field table[] = {
    {FC_FIELD(mode),
     .doc = "Who decides: this process alone (embedded), or Redis and PostgreSQL for many nodes "
            "(distributed)."},
    {FC_FIELD(durability),
     .doc = "What an accepted order survives in distributed mode before its buyer is told: decided "
            "and queued in Redis (redis), or committed in PostgreSQL (database). Embedded mode "
            "always syncs to disk first."},

    {FC_FIELD(server.listen),
     .doc =
         "Address and port for HTTP, as 127.0.0.1:8080 or [::1]:8080. Port 0 takes any free one."},
    {FC_FIELD(server.io_threads),
     .doc = "Threads that read requests and write answers. 0: half of the cores.",
     .min = 0,
     .max = 256},
    {FC_FIELD(server.trusted_proxies),
     .doc = "Addresses or networks (10.0.0.0/8) whose X-Forwarded-For is believed.",
     .comes_with = "rate limits"},
    {FC_FIELD(server.tls_certificate),
     .doc = "PEM file with the certificate chain; needs server.tls_key. Empty: plain HTTP. Read "
            "again when it changes; between TLS and plain HTTP only a restart changes.",
     .reloadable = true},
    {FC_FIELD(server.tls_key),
     .doc = "PEM file with the certificate's private key, readable by its owner only.",
     .reloadable = true},
    {FC_FIELD(server.connections_max),
     .doc = "Open connections at the same time; one more is closed at once and counted.",
     .min = 1,
     .max = 1'000'000},
    {FC_FIELD(server.header_timeout),
     .doc = "How long a request's line and headers may take from their first byte.",
     .min = 100,
     .max = 5 * minutes},
    {FC_FIELD(server.body_timeout),
     .doc = "How long a request's body may take from the end of its headers.",
     .min = 100,
     .max = 5 * minutes},
    {FC_FIELD(server.idle_timeout),
     .doc = "How long a connection may rest between two requests.",
     .min = 100,
     .max = 1 * hours},
    {FC_FIELD(server.reply_timeout),
     .doc =
         "How long an order may wait for its answer; then 504 outcome_unknown, and a repeat with "
         "the same key tells the true outcome.",
     .min = 100,
     .max = 5 * minutes},
    {FC_FIELD(server.body_max_bytes),
     .doc = "The largest request body; above it 413.",
     .min = 1 * kib,
     .max = 16 * mib,
     .bytes = true},
    {FC_FIELD(server.batch_body_max_bytes),
     .doc = "The largest body of a batch of orders.",
     .min = 1 * kib,
     .max = 64 * mib,
     .bytes = true},

    {FC_FIELD(data.dir),
     .doc = "Directory of the orders, the audit trail and the admin token. One process at a time.",
     .rule = TextRule::not_empty},

    {FC_FIELD(lane.count),
     .doc = "Lanes that decide side by side, each a thread with a database file of its own; items "
            "are spread over them by hash. Fixed once orders are stored.",
     .min = 1,
     .max = 64},
    {FC_FIELD(lane.batch_size_max),
     .doc = "Orders that share one commit.",
     .min = 1,
     .max = 65'536},
    {FC_FIELD(lane.queue_capacity),
     .doc = "Orders that may wait in a lane; beyond it 503 please_wait at once.",
     .min = 1,
     .max = 1'000'000},

    {FC_FIELD(read.threads), .doc = "Threads that look orders up.", .min = 1, .max = 64},

    {FC_FIELD(orders.quantity_max),
     .doc = "The most units one order may ask for.",
     .min = 1,
     .max = 1'000'000},

    {FC_FIELD(idempotency.required),
     .doc = "Whether an order without an Idempotency-Key is refused (400). false: each is an order "
            "of its own."},
    {FC_FIELD(idempotency.ttl),
     .doc = "How long a key gives the first answer again, counted from acceptance.",
     .min = 1 * hours,
     .max = 30 * days},

    {FC_FIELD(rate_limit.enabled),
     .doc = "Whether clients are held to the two limits below.",
     .comes_with = "rate limits"},
    {FC_FIELD(rate_limit.ip),
     .doc = "Requests of one address (IPv6: of one /64).",
     .comes_with = "rate limits"},
    {FC_FIELD(rate_limit.user), .doc = "Requests of one user.", .comes_with = "rate limits"},

    {FC_FIELD(auth.mode),
     .doc =
         "Who a buyer is: the userId of the body, vouched for by a gateway (none), or the token's "
         "subject (jwt), which needs at least one of the three files below."},
    {FC_FIELD(auth.key_file),
     .doc = "PEM file with public keys or certificates that sign tokens: RSA for RS256, P-256 for "
            "ES256, Ed25519 for EdDSA. Read again when it changes.",
     .reloadable = true},
    {FC_FIELD(auth.jwks_file),
     .doc = "JSON Web Key Set with such keys, chosen by kid. Read again when it changes.",
     .reloadable = true},
    {FC_FIELD(auth.secret_file),
     .doc = "File with the shared secret of HS256, 32 bytes or more, readable by its owner only. "
            "Read again when it changes.",
     .reloadable = true},
    {FC_FIELD(auth.issuer),
     .doc = "What a token's iss must be. Empty: anything.",
     .reloadable = true},
    {FC_FIELD(auth.audience),
     .doc = "What a token's aud must hold. Empty: tokens with an aud are refused, since they are "
            "meant for somebody.",
     .reloadable = true},
    {FC_FIELD(auth.leeway),
     .doc = "By how much the issuer's clock may differ from ours.",
     .min = 0,
     .max = 5 * minutes,
     .reloadable = true},

    {FC_FIELD(admin.token_file),
     .doc = "File with the admin API's bearer token, which may do everything. Empty: admin.token "
            "in data.dir, made at the first start. Read again when it changes.",
     .reloadable = true},
    {FC_FIELD(admin.tokens_file),
     .doc = "File with more admin tokens, a line each: name, scopes (read, stock, dlq, breaker, "
            "all; commas between), and the token or sha256: and its digest in hex. Readable by its "
            "owner only. Read again when it changes.",
     .reloadable = true},
    {FC_FIELD(admin.client_ca_file),
     .doc = "PEM file with the authorities of client certificates: admin routes then need one "
            "beside the token. Needs server.tls_certificate. Empty: no client is asked for one."},
    {FC_FIELD(admin.listen),
     .doc = "Address and port of admin routes, metrics and /actuator alone; server.listen then "
            "answers 404 for them. Empty: they are served with everything else.",
     .rule = TextRule::endpoint},

    {FC_FIELD(shutdown.settle),
     .doc = "After SIGTERM: how long requests are still taken while /readyz already says no, for "
            "load balancers to notice. 0 for local runs.",
     .min = 0,
     .max = 5 * minutes},
    {FC_FIELD(shutdown.in_flight),
     .doc = "Then: how long requests that have begun may take to finish.",
     .min = 0,
     .max = 5 * minutes},
    {FC_FIELD(shutdown.drain),
     .doc = "Then: how long the lanes may take to commit what waits.",
     .min = 0,
     .max = 5 * minutes},

    {FC_FIELD(redis.url),
     .doc =
         "The Redis that decides, in distributed mode: redis://user:password@host:6379/0, or "
         "redis+sentinel://host:26379,host:26379/name/0, or redis+cluster://host:6379,host:6379. "
         "With rediss in place of redis: TLS.",
     .rule = TextRule::redis_url,
     .secret = true},
    {FC_FIELD(redis.password_file),
     .doc = "File with the password, so that it need not stand in the address."},
    {FC_FIELD(redis.tls_ca_file),
     .doc = "PEM file with the authorities that vouch for Redis. Empty: the system's."},
    {FC_FIELD(redis.connect_timeout),
     .doc = "How long a connection to Redis may take to be made.",
     .min = 10,
     .max = 1 * minutes},
    {FC_FIELD(redis.command_timeout),
     .doc = "How long Redis may take to decide a batch; then its buyers get 504 outcome_unknown.",
     .min = 10,
     .max = 1 * minutes},
    {FC_FIELD(redis.replicas_required),
     .doc = "Replicas that must have an order before its buyer is told (WAIT). 0: none.",
     .min = 0,
     .max = 10},
    {FC_FIELD(redis.outbox_entries_max),
     .doc = "Batches of orders that may wait in Redis for PostgreSQL, per lane; beyond it 503 "
            "please_wait.",
     .min = 100,
     .max = 100'000'000},

    {FC_FIELD(postgres.url),
     .doc =
         "The PostgreSQL that keeps the truth, in distributed mode, as a libpq connection string.",
     .rule = TextRule::not_empty,
     .secret = true},
    {FC_FIELD(postgres.connect_timeout),
     .doc = "How long a connection to PostgreSQL may take to be made.",
     .min = 100,
     .max = 1 * minutes},
    {FC_FIELD(postgres.statement_timeout),
     .doc = "How long one statement may take.",
     .min = 100,
     .max = 5 * minutes},
    {FC_FIELD(postgres.slow),
     .doc = "With durability = database, when an order is not committed within "
            "postgres.commit_wait: wait answers 504 outcome_unknown, declare answers 202 and says "
            "durability redis."},
    {FC_FIELD(postgres.commit_wait),
     .doc = "With durability = database: how long an answer waits for PostgreSQL's commit.",
     .min = 10,
     .max = 1 * minutes},
    {FC_FIELD(postgres.batch_size),
     .doc = "Orders that share one transaction on their way from Redis.",
     .min = 1,
     .max = 10'000},

    {FC_FIELD(breaker.window_type),
     .doc = "What the circuit breakers look back on: the last window_size calls, or the calls of "
            "the last window_size seconds."},
    {FC_FIELD(breaker.window_size), .doc = "Calls, or seconds.", .min = 1, .max = 10'000},
    {FC_FIELD(breaker.minimum_calls),
     .doc = "Calls there must be before a rate means anything.",
     .min = 1,
     .max = 10'000},
    {FC_FIELD(breaker.failure_percent),
     .doc = "Failed calls, in percent, at which a breaker opens.",
     .min = 1,
     .max = 100},
    {FC_FIELD(breaker.slow_percent),
     .doc = "Slow calls, in percent, at which a breaker opens.",
     .min = 1,
     .max = 100},
    {FC_FIELD(breaker.redis_slow),
     .doc = "A call to Redis is slow from here on.",
     .min = 1,
     .max = 1 * minutes},
    {FC_FIELD(breaker.postgres_slow),
     .doc = "A call to PostgreSQL is slow from here on.",
     .min = 1,
     .max = 1 * minutes},
    {FC_FIELD(breaker.webhook_slow),
     .doc = "A call of the webhook is slow from here on.",
     .min = 1,
     .max = 1 * minutes},
    {FC_FIELD(breaker.open_wait),
     .doc = "How long an open breaker lets nothing through; doubles each time it opens again.",
     .min = 10,
     .max = 1 * hours},
    {FC_FIELD(breaker.open_wait_max),
     .doc = "The doubling ends here.",
     .min = 10,
     .max = 1 * hours},
    {FC_FIELD(breaker.half_open_permits),
     .doc = "Calls a half-open breaker lets through to find out.",
     .min = 1,
     .max = 1000},
    {FC_FIELD(breaker.half_open_max),
     .doc = "How long a breaker may stay half-open before it opens again.",
     .min = 10,
     .max = 1 * hours},

    {FC_FIELD(dead_letters.attempts_max),
     .doc = "Times an event that is refused is tried before it waits for a person. What is merely "
            "unreachable uses up none.",
     .min = 1,
     .max = 100},
    {FC_FIELD(dead_letters.backoff),
     .doc = "The longest wait before the second try; doubles with each one.",
     .min = 10,
     .max = 1 * hours},
    {FC_FIELD(dead_letters.backoff_max),
     .doc = "The doubling ends here.",
     .min = 10,
     .max = 1 * days},

    {FC_FIELD(tracing.exporter),
     .doc = "Where spans are sent: nowhere, OTLP over HTTP, or Zipkin v2.",
     .comes_with = "tracing"},
    {FC_FIELD(tracing.endpoint),
     .doc = "The collector's address. Empty: http://127.0.0.1:4318/v1/traces for otlp, "
            "http://127.0.0.1:9411/api/v2/spans for zipkin.",
     .rule = TextRule::http_url,
     .comes_with = "tracing"},
    {FC_FIELD(tracing.sample_percent),
     .doc = "Traces kept of those that begin here, in percent; errors are always kept.",
     .min = 0,
     .max = 100,
     .comes_with = "tracing"},

    {FC_FIELD(alerts.enabled),
     .doc = "Whether this process watches its own alert rules.",
     .comes_with = "alerts"},
    {FC_FIELD(alerts.interval),
     .doc = "How often the rules are looked at.",
     .min = 1 * seconds,
     .max = 1 * hours,
     .comes_with = "alerts"},
    {FC_FIELD(alerts.alertmanager_url),
     .doc = "Alertmanager that is told, as http://127.0.0.1:9093.",
     .rule = TextRule::http_url,
     .comes_with = "alerts"},
    {FC_FIELD(alerts.webhook_url),
     .doc = "Address that gets each alert as JSON.",
     .rule = TextRule::http_url,
     .secret = true,
     .comes_with = "alerts"},
    {FC_FIELD(alerts.stock_low_percent),
     .doc = "Remaining stock of an item, in percent, at or under which StockLow fires.",
     .min = 1,
     .max = 99,
     .comes_with = "alerts"},
    {FC_FIELD(alerts.error_percent),
     .doc = "Failed requests, in percent, above which OrderErrorRateHigh fires.",
     .min = 1,
     .max = 99,
     .comes_with = "alerts"},

    {FC_FIELD(webhook.url),
     .doc = "Address that gets each order's events, as signed POSTs. Empty: nobody.",
     .rule = TextRule::http_url,
     .secret = true},
    {FC_FIELD(webhook.secret_file),
     .doc = "File with the secret that signs the events: whsec_ and base64; two lines while one "
            "replaces the other."},
    {FC_FIELD(webhook.allow_private),
     .doc = "Whether the webhook may be on a private or local address."},
    {FC_FIELD(webhook.connect_timeout),
     .doc = "How long a connection to the webhook may take to be made.",
     .min = 10,
     .max = 1 * minutes},
    {FC_FIELD(webhook.timeout),
     .doc = "How long the webhook may take to answer.",
     .min = 10,
     .max = 5 * minutes},
    {FC_FIELD(webhook.from_beginning),
     .doc = "Whether a webhook that is set for the first time gets the events of all orders there "
            "are already."},

    {FC_FIELD(log.level), .doc = "The least important lines that are written.", .reloadable = true},
    {FC_FIELD(log.format), .doc = "One JSON object a line, or text; auto is text on a terminal."},
};

#undef FC_FIELD

}  // namespace

std::span<const Field> fields() {
    return table;
}

const Field* find_field(std::string_view key) {
    const auto* found = std::ranges::find(table, key, &Field::key);
    return found == std::end(table) ? nullptr : found;
}

std::string_view section_of(std::string_view key) {
    const auto dot = key.find('.');
    return dot == std::string_view::npos ? std::string_view{} : key.substr(0, dot);
}

std::string_view name_of(std::string_view key) {
    const auto dot = key.find('.');
    return dot == std::string_view::npos ? key : key.substr(dot + 1);
}

std::string environment_name(std::string_view key) {
    std::string name = "FIRSTCOME_";
    for (const char c : key) {
        name += c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    }
    return name;
}

}  // namespace firstcome::config
