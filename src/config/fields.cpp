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

constexpr std::array<std::string_view, 6> names_of(TracingSampler) {
    return {
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    };
}

constexpr std::array<std::string_view, 6> names_of(LogLevel) {
    return {"trace", "debug", "info", "warn", "error", "off"};
}

constexpr std::array<std::string_view, 3> names_of(LogFormat) {
    return {"auto", "json", "text"};
}

constexpr std::array<std::string_view, 2> names_of(AlertFormat) {
    return {"generic", "slack"};
}

constexpr std::array<std::string_view, 2> names_of(AccessLog) {
    return {"off", "on"};
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
     .doc = "Threads that read requests and write answers. 0: half of the cores, at most 16.",
     .min = 0,
     .max = 256},
    {FC_FIELD(server.trusted_proxies),
     .doc = "Addresses or networks (10.0.0.0/8) of the proxies in front, whose X-Forwarded-For is "
            "believed. Empty: nobody's; then all clients of a proxy share one rate limit.",
     .reloadable = true},
    {FC_FIELD(server.tls_certificate),
     .doc = "PEM file with the certificate chain; needs server.tls_key. Empty: plain HTTP. Read "
            "again when it changes; between TLS and plain HTTP only a restart changes.",
     .reloadable = true},
    {FC_FIELD(server.tls_key),
     .doc = "PEM file with the certificate's private key, readable by its owner only.",
     .reloadable = true},
    {FC_FIELD(server.connections_max),
     .doc = "Open connections at the same time. For one more the one that has been idle longest is "
            "closed; is none idle, the new one is.",
     .min = 1,
     .max = 1'000'000},
    {FC_FIELD(server.batches_max),
     .doc = "Batches of orders under way at the same time; one more gets 503 please_wait at once.",
     .min = 1,
     .max = 100'000},
    {FC_FIELD(server.reads_max),
     .doc = "Look-ups of orders under way at the same time; one more gets 503 please_wait at once.",
     .min = 1,
     .max = 100'000},
    {FC_FIELD(server.admin_max),
     .doc = "Admin requests that wait for their answer at the same time; they have places of their "
            "own, and one more gets 503 please_wait at once.",
     .min = 1,
     .max = 10'000},
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
    {FC_FIELD(server.buffers_max_bytes),
     .doc = "Memory that all connections of a listener together may hold for bodies that have not "
            "come whole and answers that are not taken; one more gets 503 please_wait. At least "
            "twice the largest body.",
     .min = 4 * mib,
     .max = 65536 * mib,
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
     .doc = "Orders that may wait in a lane during a rush; beyond it 503 please_wait at once.",
     .min = 1,
     .max = 1'000'000},
    {FC_FIELD(lane.wait_target),
     .doc =
         "While more orders come than a lane can serve: how long those it takes should wait; the "
         "others get 503 please_wait at once.",
     .min = 1,
     .max = 10 * seconds},

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
     .doc = "Whether clients are held to the limits below; beyond them 429 rate_limited. Switch it "
            "off to measure from one machine.",
     .reloadable = true},
    {FC_FIELD(rate_limit.shadow),
     .doc =
         "Whether the limits are only counted (firstcome_ratelimit_total) and nobody is refused.",
     .reloadable = true},
    {FC_FIELD(rate_limit.ip),
     .doc = "Requests of one address (IPv6: of one /64) to all of /api.",
     .reloadable = true},
    {FC_FIELD(rate_limit.user),
     .doc = "Orders of one user, those in batches included.",
     .reloadable = true},
    {FC_FIELD(rate_limit.ip_orders),
     .doc = "Besides rate_limit.ip: of these, POSTs of orders and batches.",
     .reloadable = true},
    {FC_FIELD(rate_limit.ip_reads),
     .doc = "Besides rate_limit.ip: of these, reads of orders, counts and stock.",
     .reloadable = true},
    {FC_FIELD(rate_limit.ip_admin),
     .doc = "Besides rate_limit.ip: of these, admin requests.",
     .reloadable = true},
    {FC_FIELD(rate_limit.allow),
     .doc = "Addresses or networks that no limit of addresses holds. Behind a local proxy leave "
            "127.0.0.1 out: all that comes through it would be let in.",
     .reloadable = true},
    {FC_FIELD(rate_limit.allow_users),
     .doc = "Users that the limit of users does not hold.",
     .rule = TextRule::ids,
     .reloadable = true},
    {FC_FIELD(rate_limit.memory_max_bytes),
     .doc =
         "Memory for counting, taken as it fills; 16 bytes a client and policy. When it is full, "
         "new clients share a limit until others have been quiet.",
     .min = 4 * mib,
     .max = 4096 * mib,
     .bytes = true},

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
     .doc =
         "PEM file with the authorities of client certificates: admin routes then need one "
         "beside the token. Needs server.tls_certificate. Empty: no client is asked for one. Read "
         "again when it changes."},
    {FC_FIELD(admin.listen),
     .doc = "Address and port of admin routes, metrics and /actuator alone; server.listen then "
            "answers 404 for them. Empty: they are served with everything else.",
     .rule = TextRule::listen},

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
    {FC_FIELD(redis.sentinel_password_file),
     .doc = "File with the password that Sentinels ask for. Empty: they ask for none."},
    {FC_FIELD(redis.tls_ca_file),
     .doc = "PEM file with the authorities that vouch for Redis. Empty: the system's."},
    {FC_FIELD(redis.tls_certificate),
     .doc = "PEM file with the certificate that is shown to Redis. Empty: none is."},
    {FC_FIELD(redis.tls_key),
     .doc = "PEM file with that certificate's private key. Empty: in the same file."},
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
     .doc =
         "Batches of orders that may wait in Redis for PostgreSQL, per lane; beyond it 503 "
         "please_wait. One that was declared to be of a lower level (postgres.slow) counts twice.",
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
     .doc = "How long one statement may take. Orders wait in line behind a stock change, so one of "
            "its statements is given 2s at most.",
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
    {FC_FIELD(dead_letters.keep),
     .doc = "How long an entry that is delivered or given up can still be seen; never less than "
            "idempotency.ttl. Audit rows stay.",
     .min = 1 * hours,
     .max = 3650 * days},

    {FC_FIELD(tracing.exporter),
     .doc = "Where spans are sent: nowhere, OTLP over HTTP (protobuf), or Zipkin v2 (JSON). Of the "
            "OTEL_* variables those that mean an option of this section are followed; they win "
            "over the file, and FIRSTCOME_* and --set win over them. See docs/tracing.md."},
    {FC_FIELD(tracing.endpoint),
     .doc = "The collector's address. Empty: http://127.0.0.1:4318/v1/traces for otlp, "
            "http://127.0.0.1:9411/api/v2/spans for zipkin.",
     .rule = TextRule::http_url},
    {FC_FIELD(tracing.headers),
     .doc = "Header fields of each request to the collector, as name=value,name=value; a value "
            "may be percent-encoded.",
     .secret = true},
    {FC_FIELD(tracing.ca_file),
     .doc = "PEM file with the authorities that vouch for the collector. Empty: the system's."},
    {FC_FIELD(tracing.timeout),
     .doc = "Of one request to the collector, with its connect.",
     .min = 10,
     .max = 1 * minutes},
    {FC_FIELD(tracing.sampler),
     .doc = "Who decides which traces are kept: parentbased_* leaves it to the caller's "
            "traceparent or b3 if there is one; *_traceidratio keeps sample_percent."},
    {FC_FIELD(tracing.sample_percent),
     .doc = "Traces kept by a *_traceidratio sampler, in percent; may have decimals. Requests "
            "answered with 5xx and slow ones are kept besides.",
     .min = 0,
     .max = 100},
    {FC_FIELD(tracing.slow),
     .doc = "A request that took this long is kept, whatever the sampler said.",
     .min = 1,
     .max = 1 * minutes},
    {FC_FIELD(tracing.service_name),
     .doc = "The resource attribute service.name.",
     .rule = TextRule::not_empty},
    {FC_FIELD(tracing.resource),
     .doc = "More resource attributes, as name=value,name=value; a value may be percent-encoded. "
            "service.version and service.instance.id are there unless given here."},

    {FC_FIELD(alerts.enabled),
     .doc = "Whether this process watches its own alert rules. Leave it off where Prometheus does, "
            "with deploy/prometheus/firstcome.rules.yml."},
    {FC_FIELD(alerts.interval),
     .doc = "How often the rules are looked at.",
     .min = 100,
     .max = 1 * hours},
    {FC_FIELD(alerts.alertmanager_url),
     .doc = "Alertmanager that is told, as http://127.0.0.1:9093.",
     .rule = TextRule::http_url,
     .secret = true},
    {FC_FIELD(alerts.webhook_url),
     .doc = "Address that is told once when an alert begins and once when it is over.",
     .rule = TextRule::http_url,
     .secret = true},
    {FC_FIELD(alerts.webhook_format),
     .doc = "What the webhook is sent: the JSON that Alertmanager sends its webhooks (generic), or "
            "{\"text\": ...} as Slack and its like take (slack)."},
    {FC_FIELD(alerts.resend),
     .doc =
         "How often Alertmanager is told again of an alert that goes on. One it has not heard of "
         "for four times as long is over.",
     .min = 1 * seconds,
     .max = 1 * hours},
    {FC_FIELD(alerts.instance),
     .doc = "This node's name in alerts of its own. Empty: its host's name and its port."},
    {FC_FIELD(alerts.stock_low_percent),
     .doc = "Remaining stock of an item, in percent, at or under which StockLow fires, and the "
            "webhook gets stock.low.",
     .min = 1,
     .max = 99},
    {FC_FIELD(alerts.stock_low_items),
     .doc = "Items with a percentage of their own, for StockLow and stock.low.",
     .rule = TextRule::item_percent},
    {FC_FIELD(alerts.error_percent),
     .doc = "Orders answered 5xx, in percent, above which OrderErrorRateHigh fires.",
     .min = 1,
     .max = 99},
    {FC_FIELD(alerts.error_window),
     .doc = "The time over which that percentage is taken; fewer than 20 orders say nothing.",
     .min = 5 * seconds,
     .max = 1 * hours},
    {FC_FIELD(alerts.latency),
     .doc = "Time from an order's arrival to its being durable that one in a hundred may exceed; "
            "above it OrderLatencyHigh fires.",
     .min = 1,
     .max = 1 * minutes},
    {FC_FIELD(alerts.dead_letter_age),
     .doc = "Age of the oldest open dead letter above which DlqStale fires.",
     .min = 1 * seconds,
     .max = 30 * days},
    {FC_FIELD(alerts.outbox_age),
     .doc = "Age of the oldest event that waits for PostgreSQL or the webhook above which "
            "OutboxStalled fires.",
     .min = 1 * seconds,
     .max = 1 * days},

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
     .doc =
         "Whether a webhook that is set for the first time gets the events of all orders there "
         "are already. In embedded mode; in distributed mode it gets what happens from then on."},

    {FC_FIELD(health.listen),
     .doc = "Address and port where only probes and metrics are answered, by a thread of their own "
            "that is never busy with orders: so they are answered also when every other one is "
            "stuck. Empty: only beside the orders.",
     .rule = TextRule::listen},
    {FC_FIELD(health.interval),
     .doc = "How often the components of /actuator/health are looked at.",
     .min = 100,
     .max = 10 * minutes},
    {FC_FIELD(health.disk_free_min),
     .doc = "diskSpace is DOWN when the disk of data.dir has less room than this.",
     .min = 0,
     .max = 1024 * 1024 * 1024 * mib,
     .bytes = true},
    {FC_FIELD(health.outbox_age_max),
     .doc = "outbox is DOWN when an event waits longer than this.",
     .min = 1 * seconds,
     .max = 30 * days},
    {FC_FIELD(health.dead_letters_max),
     .doc = "dlq is DOWN when more events than this wait for a person. 0: never.",
     .min = 0,
     .max = 1'000'000},
    {FC_FIELD(health.open_breaker_is_down),
     .doc = "Whether an open circuit breaker makes circuitBreakers DOWN. false: UNKNOWN, which "
            "leaves the whole as it is."},
    {FC_FIELD(health.checks),
     .doc = "Components of your own: NAME tcp HOST:PORT, NAME http URL, or NAME metric SERIES OP "
            "VALUE, which is UP while it holds. tcp and http may add timeout=1s, http expect=200 "
            "(else any 2xx). In the environment and with --set, lines are separated by semicolons.",
     .rule = TextRule::health_check},
    {FC_FIELD(health.groups),
     .doc = "Names for some of the components, asked as /actuator/health/NAME. In the environment "
            "and with --set, lines are separated by semicolons.",
     .rule = TextRule::health_group},

    {FC_FIELD(log.level), .doc = "The least important lines that are written.", .reloadable = true},
    {FC_FIELD(log.format), .doc = "One JSON object a line, or text; auto is text on a terminal."},
    {FC_FIELD(log.access), .doc = "Whether each answered request gets a line of level info."},
    {FC_FIELD(log.access_sample_percent),
     .doc = "Requests that get such a line, in percent; answers 5xx always do.",
     .min = 0,
     .max = 100},
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
