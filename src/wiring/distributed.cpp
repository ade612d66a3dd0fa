// src/wiring/distributed.cpp - the distributed mode: Redis decides, PostgreSQL is the truth
#include "adapters/guarded/found_anyway.hpp"
#include "adapters/guarded/store.hpp"
#include "adapters/postgres/audit_log.hpp"
#include "adapters/postgres/event_outbox.hpp"
#include "adapters/postgres/migrations.hpp"
#include "adapters/postgres/server_health.hpp"
#include "adapters/postgres/store.hpp"
#include "adapters/redis/check.hpp"
#include "adapters/redis/limit_share.hpp"
#include "adapters/redis/server_health.hpp"
#include "base/assert.hpp"
#include "telemetry/log.hpp"
#include "wiring/backend.hpp"
#include "wiring/breakers.hpp"
#include "wiring/events.hpp"
#include "wiring/low_stock.hpp"
#include "wiring/outbox_view.hpp"
#include "wiring/serve.hpp"
#include "wiring/shard.hpp"
#include "wiring/shown_ledger.hpp"
#include "wiring/store_options.hpp"
#include "wiring/tracing.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <optional>
#include <pthread.h>
#include <sys/stat.h>
#include <thread>
#include <utility>

namespace firstcome::wiring {

namespace {

constexpr std::string_view orders_stage = "orders";
constexpr std::chrono::milliseconds refresh_every{250};  // how old another node's sales may look
constexpr std::chrono::milliseconds refresh_first{25};   // until the items are known at all
constexpr std::chrono::milliseconds refresh_look{5};
constexpr std::chrono::milliseconds health_look_max{1'000};
constexpr std::chrono::seconds start_patience{20};  // for stores that are just starting
constexpr std::chrono::milliseconds start_pause{500};
constexpr std::chrono::seconds start_told_every{3};  // what is waited for
constexpr std::size_t shown_orders_max = 20'000;     // some 5 MB: minutes of readers who look again
constexpr std::chrono::seconds lead_slack{30};       // beyond what a batch of posts may take

class Distributed final : public Backend {
public:
    Distributed(
        const config::Config& config,
        const base::Clock& clock,
        Tracing& tracing,
        std::function<void(domain::Units)> drifted,
        DeliveredAt delivered
    )
        : config_(config),
          clock_(clock),
          tracing_(tracing),
          drifted_(std::move(drifted)),
          delivered_(delivered),
          breakers_(config.breaker, clock),
          events_(config, clock, breakers_, tracing, std::move(delivered)) {}

    ~Distributed() override { stop_refreshing(); }

    [[nodiscard]] Result<void> open() override;
    [[nodiscard]] std::vector<ports::OrderLedger*> ledgers() override;
    [[nodiscard]] Result<std::vector<std::unique_ptr<ports::OrderStore>>> open_stores() override;

    [[nodiscard]] const base::KeyedHash& hash() const override { return *hash_; }

    [[nodiscard]] Result<void> start(std::span<app::OrderLane* const> lanes) override;

    [[nodiscard]] app::DeadLetterDesk* desk() override { return events_.desk(); }

    [[nodiscard]] ports::BreakerBoard& breakers() override { return breakers_.board(); }

    [[nodiscard]] std::vector<std::unique_ptr<ports::HealthIndicator>> health_indicators() override;
    [[nodiscard]] ports::Backlog backlog() const override;
    [[nodiscard]] std::vector<NamedRelay> relays() const override;
    [[nodiscard]] std::vector<std::string> troubles() const override;
    [[nodiscard]] std::vector<ports::StoreDrift> drifts() const override;

    [[nodiscard]] std::unique_ptr<ports::LimitShare> open_limit_share() override {
        return std::make_unique<redis::LimitShare>(redis_, clock_, entropy_);
    }

    [[nodiscard]] bool follows(unsigned lane) const override { return shards_[lane]->following(); }

    [[nodiscard]] Result<std::unique_ptr<ports::AuditLog>> open_audit() override {
        return std::make_unique<postgres::AuditLog>(postgres_options(config_, "audit"));
    }

    [[nodiscard]] std::uint64_t drain(base::MonotonicTime deadline) override;

    void rest() override {}

private:
    [[nodiscard]] ShardOptions shard_options(unsigned shard) const;
    [[nodiscard]] Result<void> make_data_dir() const;
    [[nodiscard]] Result<void> prepare_database();
    [[nodiscard]] Result<void> read_secret();
    [[nodiscard]] Result<void> check_redis();
    [[nodiscard]] OutboxView open_outbox_view() const;
    [[nodiscard]] ShownLedger::UnitsByItem compensating() const;
    [[nodiscard]] bool postgres_is_asked() const;
    [[nodiscard]] Result<void> wait_until_refreshed();
    void refresh_until_stopped();
    void stop_refreshing();

    const config::Config& config_;  // outlives
    const base::Clock& clock_;      // outlives
    Tracing& tracing_;              // outlives
    std::function<void(domain::Units)> drifted_;
    DeliveredAt delivered_;
    base::SystemEntropy entropy_;  // main's
    redis::ConnectionOptions redis_;
    std::optional<base::KeyedHash> hash_;
    Breakers breakers_;
    resilience::CircuitBreaker* redis_breaker_ = nullptr;
    resilience::CircuitBreaker* postgres_breaker_ = nullptr;
    guarded::ShownOrders shown_orders_{shown_orders_max};
    std::vector<std::unique_ptr<Shard>> shards_;
    std::vector<std::unique_ptr<ShownLedger>> shown_;
    Events events_;
    const postgres::EventOutbox* event_outbox_ = nullptr;  // of `events_`; null without a webhook
    base::Doorbell refresh_bell_;
    std::atomic<bool> stopping_{false};
    std::thread refresher_;
};

ShardOptions Distributed::shard_options(unsigned shard) const {
    ShardOptions options;
    options.shard = shard;
    options.redis = redis_;
    options.redis.shard_key = redis::ShardKeys{shard}.prefix;
    options.postgres = postgres_options(config_, "shard-" + std::to_string(shard));
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
    options.stock_low = low_stock_of(config_.alerts);
    options.spans = tracing_.spans();
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
        auto prepared =
            postgres::prepare_database(postgres_options(config_, "start"), config_.lane.count);
        if (prepared) return {};
        const bool hopeless = !prepared.error().passing || is_asked_to_end();
        if (hopeless || clock_.monotonic() > give_up) {
            return std::unexpected(std::move(prepared.error().text));
        }
        log::warn("waiting for PostgreSQL", {{"reason", prepared.error().text}});
        base::Doorbell{}.rest(start_pause);
    }
}

Backend::Result<void> Distributed::read_secret() {
    postgres::RecordOptions options;
    options.connection = postgres_options(config_, "start");
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
        redis::ServerCheck check = redis::check_server(shard->connection());
        while (check.passing && clock_.monotonic() < give_up && !is_asked_to_end()) {
            log::warn("waiting for Redis", {{"reason", check.error}});
            base::Doorbell{}.rest(start_pause);
            check = redis::check_server(shard->connection());
        }
        if (!check.error.empty()) return std::unexpected("redis.url: " + check.error);
        for (const std::string& warning : check.warnings) log::warn(warning);
    }
    return {};
}

Backend::Result<void> Distributed::open() {
    if (auto made = make_data_dir(); !made) return made;
    auto redis = redis_options(config_);
    if (!redis) return std::unexpected(std::move(redis.error()));
    redis_ = std::move(*redis);
    if (auto prepared = prepare_database(); !prepared) return prepared;
    if (auto read = read_secret(); !read) return read;
    redis_breaker_ = &breakers_.add("redis", config_.breaker.redis_slow);
    postgres_breaker_ = &breakers_.add("postgres", config_.breaker.postgres_slow);
    for (unsigned shard = 0; shard < config_.lane.count; ++shard) {
        shards_.push_back(std::make_unique<Shard>(
            shard_options(shard),
            ShardBreakers{.redis = *redis_breaker_, .postgres = *postgres_breaker_},
            clock_,
            [this](std::span<const domain::Event> delivered, base::WallTime now) {
                delivered_(orders_stage, delivered, now);
            }
        ));
        shown_.push_back(std::make_unique<ShownLedger>(shards_.back()->ledger(), [this] {
            return compensating();
        }));
    }
    return check_redis();
}

std::vector<ports::OrderLedger*> Distributed::ledgers() {
    std::vector<ports::OrderLedger*> all;
    all.reserve(shown_.size());
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

bool Distributed::postgres_is_asked() const {
    const auto state = postgres_breaker_->figures(clock_.monotonic()).state;
    return state != resilience::BreakerState::open &&
           state != resilience::BreakerState::forced_open;
}

Backend::Result<std::vector<std::unique_ptr<ports::OrderStore>>> Distributed::open_stores() {
    std::vector<std::unique_ptr<ports::OrderStore>> stores;
    for (unsigned reader = 0; reader < config_.read.threads; ++reader) {
        auto view = std::make_shared<OutboxView>(open_outbox_view());
        auto store = std::make_unique<postgres::Store>(postgres::StoreOptions{
            .connection = postgres_options(config_, "reader"), .sessions = 1});
        // Within the way and not around it: what Redis or the relay takes must not stop the relay.
        auto guarded =
            std::make_unique<guarded::Store>(std::move(store), *postgres_breaker_, clock_);
        guarded::OrdersOnTheirWay on_their_way{
            .find = [view](domain::OrderId id) { return view->find(id); },
            .wait_until_stored = [view] { return view->wait_until_relayed(); },
            .store_is_asked = [this] { return postgres_is_asked(); }};
        stores.push_back(std::make_unique<guarded::FoundAnyway>(
            std::move(guarded), std::move(on_their_way), shown_orders_
        ));
    }
    return stores;
}

Backend::Result<void> Distributed::start(std::span<app::OrderLane* const> lanes) {
    FC_ASSERT(lanes.size() == shards_.size());
    postgres::OrderSinkOptions again;
    again.connection = postgres_options(config_, "desk");
    again.key_ttl = std::chrono::duration_cast<std::chrono::seconds>(config_.idempotency.ttl);
    again.events = events_.has_webhook();
    again.stock_low = low_stock_of(config_.alerts);
    events_.add_sink(std::make_unique<postgres::OrderSink>(std::move(again), nullptr, nullptr));
    auto open_letters = [this]() -> Result<std::unique_ptr<ports::DeadLetters>> {
        return std::make_unique<postgres::DeadLetters>(postgres::DeadLettersOptions{
            .connection = postgres_options(config_, "letters"), .events = events_.has_webhook()});
    };
    auto open_outbox = [this]() -> Result<std::unique_ptr<ports::Outbox>> {
        postgres::EventOutbox::Options options;
        options.connection = postgres_options(config_, "events");
        options.connection.idle_session_timeout = events_.longest_delivery() + lead_slack;
        auto opened = std::make_unique<postgres::EventOutbox>(std::move(options), clock_);
        event_outbox_ = opened.get();
        return opened;
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

// Before that an item that exists would be called unknown. A rebuild takes as long as it takes: to
// end and start again would only make it longer.
Backend::Result<void> Distributed::wait_until_refreshed() {
    const auto began = clock_.monotonic();
    auto give_up = began + start_patience;
    auto tell_at = began + start_told_every;
    base::Doorbell rests;
    for (std::size_t at = 0; at < shards_.size(); ++at) {
        while (!shards_[at]->refreshed()) {
            const auto now = clock_.monotonic();
            if (is_asked_to_end()) return std::unexpected("the items are not read from Redis yet");
            if (shards_[at]->rebuilding()) give_up = now + start_patience;
            if (now > give_up) {
                return std::unexpected(
                    "the items cannot be read: Redis or PostgreSQL does not answer; the log says "
                    "more, and a later start will do"
                );
            }
            if (now >= tell_at) {
                tell_at = now + start_told_every;
                const auto waited = std::chrono::floor<std::chrono::seconds>(now - began).count();
                log::info(
                    "waiting for a shard's items",
                    {{"shard", at}, {"rebuilding", shards_[at]->rebuilding()}, {"seconds", waited}}
                );
                for (const std::string& trouble : shards_[at]->troubles()) {
                    log::warn("a shard cannot be rebuilt", {{"shard", at}, {"reason", trouble}});
                }
            }
            rests.rest(refresh_look);
        }
    }
    return {};
}

void Distributed::refresh_until_stopped() {
    while (!stopping_.load()) {
        bool all = true;
        domain::Units off = 0;
        for (const auto& shard : shards_) {
            shard->refresh();
            all = all && shard->refreshed();
            for (const ports::StoreDrift& drift : shard->drifts()) off += std::abs(drift.units);
        }
        drifted_(off);
        refresh_bell_.rest(all ? refresh_every : refresh_first);
    }
}

void Distributed::stop_refreshing() {
    stopping_.store(true);
    refresh_bell_.ring();
    if (refresher_.joinable()) refresher_.join();
}

ShownLedger::UnitsByItem Distributed::compensating() const {
    const app::DeadLetterDesk* desk = events_.desk();
    const auto totals = desk == nullptr ? nullptr : desk->totals();
    if (!totals) return nullptr;
    return {totals, &totals->units};
}

// On a Cluster each shard may have a master of its own; else all have the same.
std::vector<std::unique_ptr<ports::HealthIndicator>> Distributed::health_indicators() {
    std::vector<redis::ConnectionOptions> servers;
    const bool is_cluster = redis_.url.topology == redis::Topology::cluster;
    for (unsigned shard = 0; shard < (is_cluster ? config_.lane.count : 1); ++shard) {
        servers.push_back(redis_);
        servers.back().shard_key = redis::ShardKeys{shard}.prefix;
    }
    std::vector<std::unique_ptr<ports::HealthIndicator>> made;
    made.push_back(std::make_unique<redis::ServerHealth>(std::move(servers), clock_));
    // Looking must be quick, however long an order's statement may take.
    postgres::ConnectionOptions look = postgres_options(config_, "health");
    look.connect_timeout = std::min(look.connect_timeout, health_look_max);
    look.call_timeout = std::min(look.call_timeout, health_look_max);
    made.push_back(std::make_unique<postgres::ServerHealth>(std::move(look)));
    return made;
}

ports::Backlog Distributed::backlog() const {
    ports::Backlog backlog;
    std::vector<const app::Relay*> relays;
    for (unsigned lane = 0; lane < shards_.size(); ++lane) {
        const Shard& shard = *shards_[lane];
        backlog.waiting.push_back({.stage = orders_stage, .lane = lane, .depth = shard.waiting()});
        relays.push_back(&shard.relay());
    }
    events_.add_to(backlog, relays);
    return backlog;
}

std::vector<NamedRelay> Distributed::relays() const {
    std::vector<NamedRelay> all = events_.relays();
    for (const auto& shard : shards_) {
        all.push_back({.stage = orders_stage, .relay = &shard->relay()});
    }
    return all;
}

std::vector<std::string> Distributed::troubles() const {
    std::vector<std::string> all;
    for (const auto& shard : shards_) std::ranges::move(shard->troubles(), std::back_inserter(all));
    const auto damage = event_outbox_ == nullptr ? std::nullopt : event_outbox_->damage();
    if (damage) all.push_back(*damage);
    return all;
}

std::vector<ports::StoreDrift> Distributed::drifts() const {
    std::vector<ports::StoreDrift> all;
    for (const auto& shard : shards_) std::ranges::move(shard->drifts(), std::back_inserter(all));
    return all;
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
    Tracing& tracing,
    std::function<void(domain::Units)> drifted,
    DeliveredAt delivered
) {
    return std::make_unique<Distributed>(
        config, clock, tracing, std::move(drifted), std::move(delivered)
    );
}

}  // namespace firstcome::wiring
