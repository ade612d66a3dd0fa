// src/wiring/distributed.cpp - the distributed mode: Redis decides, PostgreSQL is the truth
#include "adapters/guarded/store.hpp"
#include "adapters/postgres/audit_log.hpp"
#include "adapters/postgres/event_outbox.hpp"
#include "adapters/postgres/migrations.hpp"
#include "adapters/postgres/store.hpp"
#include "adapters/redis/check.hpp"
#include "base/assert.hpp"
#include "telemetry/log.hpp"
#include "wiring/backend.hpp"
#include "wiring/breakers.hpp"
#include "wiring/events.hpp"
#include "wiring/outbox_view.hpp"
#include "wiring/shard.hpp"
#include "wiring/shown_ledger.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <pthread.h>
#include <sys/stat.h>
#include <thread>
#include <utility>

namespace firstcome::wiring {

namespace {

constexpr std::chrono::milliseconds refresh_every{250};  // how old another node's sales may look
constexpr std::chrono::milliseconds refresh_first{25};   // until the items are known at all
constexpr std::chrono::milliseconds refresh_look{5};
constexpr std::chrono::seconds start_patience{20};  // for stores that are just starting
constexpr std::chrono::milliseconds start_pause{500};

std::expected<std::string, std::string> password_in(const std::string& file) {
    std::ifstream in{file};
    std::string line;
    if (!std::getline(in, line) || line.empty()) {
        return std::unexpected("redis.password_file: cannot read a password from " + file);
    }
    return line;
}

class Distributed final : public Backend {
public:
    Distributed(
        const config::Config& config,
        const base::Clock& clock,
        std::function<void(domain::Units)> drifted
    )
        : config_(config),
          clock_(clock),
          drifted_(std::move(drifted)),
          breakers_(config.breaker, clock),
          events_(config, clock, breakers_) {}

    ~Distributed() override { stop_refreshing(); }

    [[nodiscard]] Result<void> open() override;
    [[nodiscard]] std::vector<ports::OrderLedger*> ledgers() override;
    [[nodiscard]] Result<std::vector<std::unique_ptr<ports::OrderStore>>> open_stores() override;

    [[nodiscard]] const base::KeyedHash& hash() const override { return *hash_; }

    [[nodiscard]] Result<void> start(std::span<app::OrderLane* const> lanes) override;

    [[nodiscard]] app::DeadLetterDesk* desk() override { return events_.desk(); }

    [[nodiscard]] ports::BreakerBoard& breakers() override { return breakers_.board(); }

    [[nodiscard]] Result<std::unique_ptr<ports::AuditLog>> open_audit() override {
        return std::make_unique<postgres::AuditLog>(postgres_options("audit"));
    }

    [[nodiscard]] std::uint64_t drain(base::MonotonicTime deadline) override;

    void rest() override {}

private:
    [[nodiscard]] Result<redis::ConnectionOptions> redis_options() const;
    [[nodiscard]] postgres::ConnectionOptions postgres_options(std::string name) const;
    [[nodiscard]] ShardOptions shard_options(unsigned shard) const;
    [[nodiscard]] Result<void> make_data_dir() const;
    [[nodiscard]] Result<void> prepare_database();
    [[nodiscard]] Result<void> read_secret();
    [[nodiscard]] Result<void> check_redis();
    [[nodiscard]] OutboxView open_outbox_view() const;
    [[nodiscard]] domain::Units compensating(const domain::ItemId& item) const;
    [[nodiscard]] Result<void> wait_until_refreshed();
    void refresh_until_stopped();
    void stop_refreshing();

    const config::Config& config_;  // outlives
    const base::Clock& clock_;      // outlives
    std::function<void(domain::Units)> drifted_;
    base::SystemEntropy entropy_;  // main's
    redis::ConnectionOptions redis_;
    std::optional<base::KeyedHash> hash_;
    Breakers breakers_;
    resilience::CircuitBreaker* redis_breaker_ = nullptr;
    resilience::CircuitBreaker* postgres_breaker_ = nullptr;
    std::vector<std::unique_ptr<Shard>> shards_;
    std::vector<std::unique_ptr<ShownLedger>> shown_;
    Events events_;
    base::Doorbell refresh_bell_;
    std::atomic<bool> stopping_{false};
    std::thread refresher_;
};

Backend::Result<redis::ConnectionOptions> Distributed::redis_options() const {
    auto url = redis::parse_url(config_.redis.url);
    if (!url) return std::unexpected("redis.url: " + url.error());
    redis::ConnectionOptions options;
    options.url = std::move(*url);
    if (!config_.redis.password_file.empty()) {
        auto password = password_in(config_.redis.password_file);
        if (!password) return std::unexpected(std::move(password.error()));
        options.url.password = std::move(*password);
    }
    options.tls.ca_file = config_.redis.tls_ca_file;
    options.connect_timeout = config_.redis.connect_timeout;
    options.command_timeout = config_.redis.command_timeout;
    return options;
}

postgres::ConnectionOptions Distributed::postgres_options(std::string name) const {
    postgres::ConnectionOptions options;
    options.url = config_.postgres.url;
    options.name = "firstcome-" + std::move(name);
    options.connect_timeout = config_.postgres.connect_timeout;
    options.call_timeout = config_.postgres.statement_timeout;
    return options;
}

ShardOptions Distributed::shard_options(unsigned shard) const {
    ShardOptions options;
    options.shard = shard;
    options.redis = redis_;
    options.redis.shard_key = redis::ShardKeys{shard}.prefix;
    options.postgres = postgres_options("shard-" + std::to_string(shard));
    options.ledger.shard = shard;
    options.key_ttl = std::chrono::duration_cast<std::chrono::seconds>(config_.idempotency.ttl);
    options.ledger.level = config_.durability == config::Durability::database
                               ? domain::Durability::database
                               : domain::Durability::redis;
    options.ledger.when_slow = config_.postgres.slow == config::SlowDatabase::declare
                                   ? redis::LedgerOptions::WhenSlow::declare
                                   : redis::LedgerOptions::WhenSlow::wait;
    options.ledger.commit_wait = config_.postgres.commit_wait;
    options.ledger.replicas_required = config_.redis.replicas_required;
    options.ledger.replica_wait = config_.redis.command_timeout;
    options.ledger.outbox_entries_max = config_.redis.outbox_entries_max;
    options.relay.thread_name = "fc-relay-" + std::to_string(shard);
    options.relay.batch_max = config_.postgres.batch_size;
    options.relay.parked = {
        .first = config_.dead_letters.backoff, .cap = config_.dead_letters.backoff_max};
    options.events = events_.has_webhook();
    options.stock_low_percent = config_.alerts.stock_low_percent;
    return options;
}

// Nothing but the admin token is kept there.
Backend::Result<void> Distributed::make_data_dir() const {
    std::error_code failed;
    if (std::filesystem::is_directory(config_.data.dir, failed)) return {};
    std::filesystem::create_directories(config_.data.dir, failed);
    if (failed || ::chmod(config_.data.dir.c_str(), 0700) != 0) {
        return std::unexpected("data.dir: cannot make the directory " + config_.data.dir);
    }
    return {};
}

Backend::Result<void> Distributed::prepare_database() {
    const auto give_up = clock_.monotonic() + start_patience;
    while (true) {
        auto prepared = postgres::prepare_database(postgres_options("start"), config_.lane.count);
        if (prepared) return {};
        if (!prepared.error().passing || clock_.monotonic() > give_up) {
            return std::unexpected(std::move(prepared.error().text));
        }
        log::warn("waiting for PostgreSQL", {{"reason", prepared.error().text}});
        base::Doorbell{}.rest(start_pause);
    }
}

Backend::Result<void> Distributed::read_secret() {
    postgres::RecordOptions options;
    options.connection = postgres_options("start");
    postgres::Record record{options, clock_, entropy_};
    const auto text = record.secret();
    base::KeyedHash::Secret secret{};
    if (!text || text->size() != secret.size()) {
        return std::unexpected("postgres.url: cannot read the nodes' shared secret; see the log");
    }
    std::memcpy(secret.data(), text->data(), secret.size());
    hash_.emplace(secret);
    return {};
}

Backend::Result<void> Distributed::check_redis() {
    for (const auto& shard : shards_) {
        const auto give_up = clock_.monotonic() + start_patience;
        while (true) {
            const auto connected = shard->connection().connect();
            if (connected || connected.error().error != redis::CommandError::not_sent) break;
            if (clock_.monotonic() > give_up) break;
            log::warn("waiting for Redis", {{"reason", connected.error().text}});
            base::Doorbell{}.rest(start_pause);
        }
        const redis::ServerCheck check = redis::check_server(shard->connection());
        if (!check.error.empty()) return std::unexpected("redis.url: " + check.error);
        for (const std::string& warning : check.warnings) log::warn(warning);
    }
    return {};
}

Backend::Result<void> Distributed::open() {
    if (auto made = make_data_dir(); !made) return made;
    auto redis = redis_options();
    if (!redis) return std::unexpected(std::move(redis.error()));
    redis_ = std::move(*redis);
    if (auto prepared = prepare_database(); !prepared) return prepared;
    if (auto read = read_secret(); !read) return read;
    // At level database a batch waits for PostgreSQL too: then only that long is slow for Redis.
    const bool waits = config_.durability == config::Durability::database;
    const auto commit = waits ? config_.postgres.commit_wait : std::chrono::milliseconds{0};
    redis_breaker_ = &breakers_.add("redis", config_.breaker.redis_slow + commit);
    postgres_breaker_ = &breakers_.add("postgres", config_.breaker.postgres_slow);
    for (unsigned shard = 0; shard < config_.lane.count; ++shard) {
        shards_.push_back(std::make_unique<Shard>(
            shard_options(shard),
            ShardBreakers{.redis = *redis_breaker_, .postgres = *postgres_breaker_},
            clock_,
            drifted_
        ));
        shown_.push_back(std::make_unique<ShownLedger>(
            shards_.back()->ledger(),
            [this](const domain::ItemId& item) { return compensating(item); }
        ));
    }
    return check_redis();
}

std::vector<ports::OrderLedger*> Distributed::ledgers() {
    std::vector<ports::OrderLedger*> all;
    for (const auto& ledger : shown_) all.push_back(ledger.get());
    return all;
}

OutboxView Distributed::open_outbox_view() const {
    OutboxView view{clock_};
    for (unsigned shard = 0; shard < config_.lane.count; ++shard) {
        redis::ConnectionOptions options = redis_;
        options.shard_key = redis::ShardKeys{shard}.prefix;
        options.client_name += "-reader";
        view.add_shard(shard, std::move(options));
    }
    return view;
}

Backend::Result<std::vector<std::unique_ptr<ports::OrderStore>>> Distributed::open_stores() {
    std::vector<std::unique_ptr<ports::OrderStore>> stores;
    for (unsigned reader = 0; reader < config_.read.threads; ++reader) {
        auto view = std::make_shared<OutboxView>(open_outbox_view());
        auto store = std::make_unique<postgres::Store>(
            postgres::StoreOptions{.connection = postgres_options("reader"), .sessions = 1},
            [view](domain::OrderId id) { return view->find(id); },
            [view] { return view->wait_until_relayed(); }
        );
        auto guarded =
            std::make_unique<guarded::Store>(std::move(store), *postgres_breaker_, clock_);
        stores.push_back(std::make_unique<FoundAnyway>(std::move(guarded), view));
    }
    return stores;
}

Backend::Result<void> Distributed::start(std::span<app::OrderLane* const> lanes) {
    FC_ASSERT(lanes.size() == shards_.size());
    postgres::OrderSinkOptions again;
    again.connection = postgres_options("desk");
    again.key_ttl = std::chrono::duration_cast<std::chrono::seconds>(config_.idempotency.ttl);
    again.events = events_.has_webhook();
    again.stock_low_percent = config_.alerts.stock_low_percent;
    events_.add_sink(std::make_unique<postgres::OrderSink>(std::move(again), nullptr, nullptr));
    auto open_letters = [this]() -> Result<std::unique_ptr<ports::DeadLetters>> {
        return std::make_unique<postgres::DeadLetters>(postgres::DeadLettersOptions{
            .connection = postgres_options("letters"), .events = events_.has_webhook()});
    };
    auto open_outbox = [this]() -> Result<std::unique_ptr<ports::Outbox>> {
        postgres::EventOutbox::Options options;
        options.connection = postgres_options("events");
        // Longer than a batch of posts may take.
        options.connection.idle_session_timeout = std::chrono::minutes{15};
        return std::make_unique<postgres::EventOutbox>(std::move(options), clock_);
    };
    auto opened = events_.open(open_letters, open_outbox, release_on({lanes.begin(), lanes.end()}));
    if (!opened) return opened;
    events_.start();
    for (std::size_t shard = 0; shard < shards_.size(); ++shard) {
        shards_[shard]->start(*lanes[shard]);
    }
    refresher_ = std::thread([this] { refresh_until_stopped(); });
    ::pthread_setname_np(refresher_.native_handle(), "fc-refresh");
    return wait_until_refreshed();
}

// Before that an item that exists would be called unknown.
Backend::Result<void> Distributed::wait_until_refreshed() {
    const auto give_up = clock_.monotonic() + start_patience;
    base::Doorbell rests;
    for (const auto& shard : shards_) {
        while (!shard->refreshed()) {
            if (clock_.monotonic() > give_up) {
                return std::unexpected(
                    "the items cannot be read from Redis: it is being rebuilt, or no node leads; "
                    "the log says more, and a later start will do"
                );
            }
            rests.rest(refresh_look);
        }
    }
    return {};
}

void Distributed::refresh_until_stopped() {
    while (!stopping_.load()) {
        bool all = true;
        for (const auto& shard : shards_) {
            shard->refresh();
            all = all && shard->refreshed();
        }
        refresh_bell_.rest(all ? refresh_every : refresh_first);
    }
}

void Distributed::stop_refreshing() {
    stopping_.store(true);
    refresh_bell_.ring();
    if (refresher_.joinable()) refresher_.join();
}

domain::Units Distributed::compensating(const domain::ItemId& item) const {
    const app::DeadLetterDesk* desk = events_.desk();
    if (desk == nullptr) return 0;
    const auto totals = desk->totals();
    if (!totals) return 0;
    const auto found = totals->units.find(item);
    return found == totals->units.end() ? 0 : found->second;
}

// In the order an order travels: what was decided into PostgreSQL first, then out to the webhook.
std::uint64_t Distributed::drain(base::MonotonicTime deadline) {
    stop_refreshing();
    std::uint64_t left = 0;
    for (const auto& shard : shards_) left += shard->drain(deadline);
    return left + events_.drain(deadline);
}

}  // namespace

std::unique_ptr<Backend> make_distributed(
    const config::Config& config,
    const base::Clock& clock,
    std::function<void(domain::Units)> drifted
) {
    return std::make_unique<Distributed>(config, clock, std::move(drifted));
}

}  // namespace firstcome::wiring
