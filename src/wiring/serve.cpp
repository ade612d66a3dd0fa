// src/wiring/serve.cpp - builds all objects in order of life, and takes them down again
#include "wiring/serve.hpp"

#include "app/audit_desk.hpp"
#include "app/find_order.hpp"
#include "app/order_lane.hpp"
#include "app/place_order.hpp"
#include "app/service_state.hpp"
#include "app/stock_desk.hpp"
#include "app/store_watch.hpp"
#include "app/watchdog.hpp"
#include "base/entropy.hpp"
#include "base/hash.hpp"
#include "base/time.hpp"
#include "cli/cli.hpp"
#include "http/api.hpp"
#include "http/orders_handler.hpp"
#include "http/server.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"
#include "wiring/alerts.hpp"
#include "wiring/backend.hpp"
#include "wiring/credentials.hpp"
#include "wiring/hardening.hpp"
#include "wiring/health.hpp"
#include "wiring/limits.hpp"
#include "wiring/measures.hpp"
#include "wiring/notify.hpp"
#include "wiring/tracing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <expected>
#include <fstream>
#include <future>
#include <memory>
#include <signal.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace firstcome::wiring {

namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds stuck_after{5};
constexpr std::chrono::seconds look_at_files_every{2};
constexpr std::size_t read_queue_capacity = 4096;  // reads that may wait, per reader thread
constexpr std::string_view demo_item = "demo";
constexpr domain::Units demo_units = 100;
constexpr std::chrono::seconds demo_patience{15};  // for a shard that is still being rebuilt
constexpr milliseconds demo_pause{200};

constexpr std::chrono::seconds spans_patience{2};  // of a stop, for a collector that is slow

constexpr int exit_stopped_by_fault = 70;  // EX_SOFTWARE: a supervisor should start us again

unsigned io_threads_of(const config::Config& config) {
    if (config.server.io_threads > 0) return config.server.io_threads;
    // Half of the cores: the lanes, the readers and the kernel's own work need the others.
    return std::clamp(std::thread::hardware_concurrency() / 2, 1U, 16U);
}

http::ServerOptions server_options(const config::Config& config) {
    http::ServerOptions options;
    options.host = config.server.listen.host;
    options.port = config.server.listen.port;
    options.io_threads = io_threads_of(config);
    options.connections_max = config.server.connections_max;
    options.limits.body_size_max = config.server.body_max_bytes;
    options.timeouts.header = config.server.header_timeout;
    options.timeouts.body = config.server.body_timeout;
    options.timeouts.idle = config.server.idle_timeout;
    options.timeouts.reply = config.server.reply_timeout;
    options.access_log = {
        .on = config.log.access == config::AccessLog::on,
        .sample_percent = config.log.access_sample_percent};
    return options;
}

http::ApiOptions api_options(const config::Config& config) {
    return {
        .quantity_max = config.orders.quantity_max,
        .key_required = config.idempotency.required,
        .order_body_max = config.server.body_max_bytes,
        .batch_body_max = config.server.batch_body_max_bytes,
        .version = std::string(cli::version()),
        .mode = config.mode == config::Mode::embedded ? "embedded" : "distributed",
    };
}

/// admin.listen: one thread is plenty, and buyers do not reach it.
http::ServerOptions admin_server_options(
    const config::Config& config, const config::Endpoint& listen
) {
    http::ServerOptions options = server_options(config);
    options.host = listen.host;
    options.port = listen.port;
    options.io_threads = 1;
    options.connections_max = std::min<std::size_t>(config.server.connections_max, 1000);
    options.thread_name = "fc-admin";
    return options;
}

void audit_lost(const ports::AuditEntry& entry) {
    log::error(
        "an entry of the audit log could not be written",
        {{"who", entry.who},
         {"what", entry.what},
         {"subject", entry.subject},
         {"reason", entry.reason},
         {"before", entry.before},
         {"after", entry.after},
         {"trace_id", entry.trace_id}}
    );
}

/// What is asked of us from outside: to end (a second time: at once), or to read everything again.
class Signals {
public:
    Signals() {
        ::sigemptyset(&ending_);
        for (const int each : {SIGTERM, SIGINT}) ::sigaddset(&ending_, each);
        watched_ = ending_;
        ::sigaddset(&watched_, SIGHUP);
    }

    /// The next signal; 0: none came in time.
    [[nodiscard]] int wait(std::chrono::seconds patience) const {
        const timespec time{.tv_sec = patience.count(), .tv_nsec = 0};
        return std::max(0, ::sigtimedwait(&watched_, nullptr, &time));
    }

    void end(int got) const {
        log::info("stopping", {{"signal", got}});
        std::thread([ending = ending_] {
            int second = 0;
            ::sigwait(&ending, &second);
            log::warn("a second signal: stopping at once", {{"signal", second}});
            log::stop();
            std::_Exit(1);
        }).detach();  // NOLINT: it waits for ever by design, and ends with the process
    }

private:
    sigset_t ending_{};
    sigset_t watched_{};
};

/// The service: built in the order of the members, taken down in reverse.
class Service {
public:
    explicit Service(const config::Config& config)
        : config_(config),
          current_(config),
          api_options_(api_options(config)),
          metrics_(
              config.lane.count,
              {.version = api_options_.version, .mode = api_options_.mode},
              clock_
          ),
          store_watch_(config.lane.count, metrics_),
          tracing_(config, clock_),
          backend_(make_backend()) {}

    /// Also of a start that failed half way: nobody may go on asking for what is gone.
    ~Service() {
        for (http::Server* each : {probe_server_.get(), admin_server_.get(), server_.get()}) {
            if (each != nullptr) static_cast<void>(each->finish(clock_.monotonic()));
        }
        if (health_) health_->stop();
        if (watchdog_) watchdog_->stop();
        if (lanes_run_ && !drained_) static_cast<void>(backend_->drain(clock_.monotonic()));
    }

    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    [[nodiscard]] std::expected<void, std::string> start(const ServeOptions& options);
    [[nodiscard]] int drain();

    /// Takes the configuration over that is read now, whole, or says why not.
    void reload(const ReadConfig& read);
    /// The same of files the configuration in force names, when one of them has changed.
    void reload_changed_files();

    [[nodiscard]] std::string address() const {
        config::Endpoint bound = config_.server.listen;
        bound.port = server_->port();
        return bound.text();
    }

    /// Empty: admin routes are with everything else.
    [[nodiscard]] std::string admin_address() const {
        auto bound = config::Endpoint::from(config_.admin.listen);
        if (!bound) return {};
        bound->port = admin_server_->port();
        return bound->text();
    }

private:
    [[nodiscard]] std::unique_ptr<Backend> make_backend();
    [[nodiscard]] std::expected<void, std::string> open_lanes();
    [[nodiscard]] std::expected<void, std::string> start_lanes();
    [[nodiscard]] std::expected<void, std::string> make_demo_item();
    [[nodiscard]] std::expected<void, std::string> open_front();
    [[nodiscard]] std::vector<app::WatchedThread> watched() const;
    [[nodiscard]] app::WatchdogEvents watchdog_events() const;
    [[nodiscard]] HealthSources health_sources();
    void make_listeners();
    [[nodiscard]] telemetry::HttpStats all_http_stats() const;
    [[nodiscard]] http::App make_app();
    [[nodiscard]] std::expected<void, std::string> start_alerts();

    const config::Config& config_;  // as at the start
    config::Config current_;        // the same where a reload changes nothing
    base::SystemClock clock_;
    base::SystemEntropy entropy_;  // main's
    Credentials credentials_{clock_, entropy_};
    std::string credentials_refused_;  // why, at the last look; empty: they were taken
    http::ApiOptions api_options_;
    app::ServiceState state_;
    telemetry::Metrics metrics_;
    app::StoreWatch store_watch_;
    std::atomic<domain::Units> drift_{0};  // as the last conservation check found it
    Tracing tracing_;
    bool lanes_run_ = false;
    bool drained_ = false;
    std::unique_ptr<Backend> backend_;
    std::unique_ptr<app::FindOrder> find_order_;
    std::unique_ptr<Limits> limits_;
    std::unique_ptr<app::AuditDesk> audit_;
    // The lanes' sinks are the server's io threads; so the lanes are drained before it goes.
    std::unique_ptr<http::Router> router_;
    std::unique_ptr<http::Server> server_;
    std::unique_ptr<http::Router> admin_router_;  // both null: no admin.listen
    std::unique_ptr<http::Server> admin_server_;
    std::vector<std::unique_ptr<app::OrderLane>> lanes_;
    std::unique_ptr<app::PlaceOrder> place_order_;
    std::unique_ptr<app::StockDesk> stock_desk_;
    std::unique_ptr<http::App> app_;
    std::unique_ptr<http::PlaceOrderEndpoint> place_endpoint_;
    std::unique_ptr<app::HealthBoard> health_;
    std::unique_ptr<app::Watchdog> watchdog_;
    std::unique_ptr<http::Router> probe_router_;
    std::unique_ptr<http::Server> probe_server_;
    std::unique_ptr<telemetry::AlertWatch> alerts_;  // null: off
    // What io threads see of it: it is made when they run already.
    std::atomic<const telemetry::AlertWatch*> alerts_shown_{nullptr};
};

std::unique_ptr<Backend> Service::make_backend() {
    DeliveredAt delivered = [this](auto stage, auto events, base::WallTime now) {
        metrics_.events_delivered(stage, events, now);
    };
    if (config_.mode == config::Mode::embedded) {
        return make_embedded(config_, clock_, tracing_, std::move(delivered));
    }
    auto drifted = [this](domain::Units off) { drift_.store(off); };
    return make_distributed(config_, clock_, tracing_, std::move(drifted), std::move(delivered));
}

std::expected<void, std::string> Service::start(const ServeOptions& options) {
    if (auto started = tracing_.start(); !started) return started;
    if (auto opened = backend_->open(); !opened) return opened;
    if (auto opened = credentials_.open(config_); !opened) return opened;
    limits_ =
        std::make_unique<Limits>(config_, backend_->hash(), clock_, backend_->open_limit_share());
    if (auto opened = open_lanes(); !opened) return opened;
    if (auto started = start_lanes(); !started) return started;
    if (options.demo) {
        if (auto made = make_demo_item(); !made) return made;
    }
    auto audit_log = backend_->open_audit();
    if (!audit_log) return std::unexpected(std::move(audit_log.error()));
    audit_ = std::make_unique<app::AuditDesk>(std::move(*audit_log), clock_, audit_lost);
    audit_->start();
    if (auto opened = open_front(); !opened) return opened;
    if (auto started = start_alerts(); !started) return started;
    state_.serve();
    return {};
}

std::expected<void, std::string> Service::open_lanes() {
    std::vector<app::OrderLane*> lanes;
    std::vector<app::StockDesk::Shard> shards;
    for (ports::OrderLedger* ledger : backend_->ledgers()) {
        const app::LaneOptions options{
            .shard = static_cast<unsigned>(lanes.size()),
            .queue_capacity = config_.lane.queue_capacity,
            .batch_size_max = config_.lane.batch_size_max,
            .wait_target = config_.lane.wait_target,
        };
        lanes_.push_back(std::make_unique<app::OrderLane>(options, *ledger, clock_, store_watch_));
        lanes.push_back(lanes_.back().get());
        shards.push_back({.lane = lanes.back(), .ledger = ledger});
    }
    place_order_ = std::make_unique<app::PlaceOrder>(std::move(lanes));
    stock_desk_ = std::make_unique<app::StockDesk>(std::move(shards));
    auto stores = backend_->open_stores();
    if (!stores) return std::unexpected(std::move(stores.error()));
    find_order_ = std::make_unique<app::FindOrder>(std::move(*stores), read_queue_capacity);
    return {};
}

std::expected<void, std::string> Service::start_lanes() {
    lanes_run_ = true;
    find_order_->start();
    std::vector<app::OrderLane*> lanes;
    for (const auto& lane : lanes_) {
        lane->start();
        lanes.push_back(lane.get());
    }
    return backend_->start(lanes);
}

// On the item's lane, as any change: in distributed mode the shard may not be open yet.
std::expected<void, std::string> Service::make_demo_item() {
    domain::StockChange change;
    change.item = *domain::ItemId::from(demo_item);
    change.quantity = demo_units;
    change.who = "serve --demo";
    change.reason = "demo item";
    const auto give_up = clock_.monotonic() + demo_patience;
    while (!stock_desk_->stock(change.item)) {
        auto promised = std::make_shared<std::promise<bool>>();
        auto done = promised->get_future();
        const bool asked = stock_desk_->change(change, [promised](const app::StockReply& reply) {
            promised->set_value(reply.has_value());
        });
        if (asked && done.get()) break;
        if (clock_.monotonic() > give_up) {
            return std::unexpected("could not make the demo item; the log says why");
        }
        std::promise<void> never;
        (void)never.get_future().wait_for(demo_pause);
    }
    log::info("there is a demo item", {{"item", demo_item}});
    return {};
}

std::expected<void, std::string> Service::open_front() {
    health_ = make_health_board(config_, health_sources(), clock_);
    app_ = std::make_unique<http::App>(make_app());
    place_endpoint_ = std::make_unique<http::PlaceOrderEndpoint>(*app_);
    app::WatchdogOptions looks{.stuck_after = stuck_after};
    if (const auto within = notify_alive_within()) {
        looks.every = std::min(looks.every, std::chrono::duration_cast<milliseconds>(*within / 2));
    }
    make_listeners();
    watchdog_ = std::make_unique<app::Watchdog>(looks, watched(), watchdog_events(), clock_);
    metrics_.attach({
        .stock = [this] { return stock_desk_->all_stock(); },
        .queue_depths =
            [this] {
                std::vector<std::size_t> depths;
                for (const auto& lane : lanes_) depths.push_back(lane->queue_depth());
                return depths;
            },
        .orders_shed = [this] { return place_order_->shed_count(); },
        .http = [this] { return all_http_stats(); },
        .breakers = [this] { return backend_->breakers().breakers(); },
        .alerts =
            [this] {
                const auto* shown = alerts_shown_.load();
                return shown != nullptr ? shown->stats() : telemetry::AlertStats{};
            },
        .backlog = [this] { return backend_->backlog(); },
        .relays = [this] { return relay_figures(backend_->relays()); },
        .rate_limits =
            [this] {
                std::vector<telemetry::RateLimitCount> counts;
                for (const app::LimitRow& row : limits_->rows()) {
                    counts.push_back({row.policy, row.decision, row.count});
                }
                return counts;
            },
        .drift_between_stores = [this] { return drift_.load(); },
        .spans = [this] { return tracing_.counts(); },
    });
    health_->start();
    if (probe_server_ != nullptr) {
        if (auto started = probe_server_->start(); !started) return started;
    }
    if (admin_server_ != nullptr) {
        if (auto started = admin_server_->start(); !started) return started;
    }
    if (auto started = server_->start(); !started) return started;
    watchdog_->start();
    return {};
}

void Service::make_listeners() {
    auto routes = http::api_routes(*app_, *place_endpoint_);
    auto operators = routes;
    auto probes = routes;
    const auto admin_listen = config::Endpoint::from(config_.admin.listen);
    if (admin_listen) {
        std::erase_if(routes, [](const auto& each) {
            return !http::audience_of(each.path).buyers;
        });
    }
    http::ServerOptions options = server_options(config_);
    options.tls = credentials_.tls();
    options.gate = &limits_->gate();
    options.trace = tracing_.requests();
    router_ = std::make_unique<http::Router>(std::move(routes));
    server_ = std::make_unique<http::Server>(options, *router_, clock_, entropy_);
    if (admin_listen) {
        std::erase_if(operators, [](const auto& each) {
            return !http::audience_of(each.path).operators;
        });
        http::ServerOptions admin_options = admin_server_options(config_, *admin_listen);
        admin_options.tls = credentials_.admin_tls();
        admin_options.gate = &limits_->gate();
        admin_options.trace = tracing_.requests();
        admin_router_ = std::make_unique<http::Router>(std::move(operators));
        admin_server_ =
            std::make_unique<http::Server>(admin_options, *admin_router_, clock_, entropy_);
    }
    if (config_.health.listen.empty()) return;
    std::erase_if(probes, [](const auto& each) { return !http::audience_of(each.path).probes; });
    probe_router_ = std::make_unique<http::Router>(std::move(probes));
    probe_server_ = std::make_unique<http::Server>(
        probe_server_options(config_), *probe_router_, clock_, entropy_
    );
}

HealthSources Service::health_sources() {
    return {
        .backend = *backend_,
        .state = state_,
        .alive = [this] { return watchdog_->stuck().empty(); },
        .stock = [this] { return stock_desk_->all_stock(); },
        .drift = [this] { return drift_.load(); },
        .store_fault = [this] { return store_watch_.fault(); },
        .scrape = [this] { return metrics_.scrape(); },
    };
}

std::expected<void, std::string> Service::start_alerts() {
    const AlertParts parts{
        .clock = clock_,
        .metrics = metrics_,
        .stock_desk = *stock_desk_,
        .place_order = *place_order_,
        .backend = *backend_,
        .drift = drift_,
        .port = server_->port(),
    };
    auto made = make_alerts(config_, parts);
    if (!made) return std::unexpected(std::move(made.error()));
    alerts_ = std::move(*made);
    if (alerts_) alerts_->start();
    alerts_shown_.store(alerts_.get());
    return {};
}

telemetry::HttpStats Service::all_http_stats() const {
    std::vector<Listener> listeners{{server_.get(), router_.get()}};
    if (admin_server_) listeners.push_back({admin_server_.get(), admin_router_.get()});
    if (probe_server_) listeners.push_back({probe_server_.get(), probe_router_.get()});
    return http_stats(listeners);
}

http::App Service::make_app() {
    return http::App{
        .options = api_options_,
        .place_order = *place_order_,
        .find_order = *find_order_,
        .stock_desk = *stock_desk_,
        .hash = backend_->hash(),
        .admin_tokens = credentials_.admins(),
        .state = state_,
        .dead_letters = backend_->desk(),
        .metrics_text = [this] { return metrics_.scrape(); },
        .metrics_content_type = telemetry::Metrics::content_type,
        .recent_rates =
            [this] {
                const auto recent = metrics_.recent(clock_.monotonic());
                const auto seconds = [](const auto& time) -> std::optional<double> {
                    if (!time) return std::nullopt;
                    return std::chrono::duration<double>(*time).count();
                };
                return http::RecentRates{
                    .orders_per_second_1s = recent.accepted_per_second_1s,
                    .orders_per_second_10s = recent.accepted_per_second_10s,
                    .p50_seconds = seconds(recent.p50),
                    .p99_seconds = seconds(recent.p99),
                };
            },
        .outcomes =
            [this] {
                std::vector<http::OutcomeTotal> totals;
                for (const auto& each : metrics_.outcomes()) {
                    totals.push_back({.outcome = each.outcome, .count = each.count});
                }
                return totals;
            },
        .stuck = [this] { return watchdog_->stuck(); },
        .invariant_violated = [this] { metrics_.invariant_violated(); },
        .breakers = &backend_->breakers(),
        .health = health_.get(),
        .backlog = [this] { return backend_->backlog(); },
        .troubles = [this] { return backend_->troubles(); },
        .gate = &limits_->gate(),
        .in_flight = &limits_->in_flight(),
        .alerts =
            [this] {
                const auto* shown = alerts_shown_.load();
                return shown != nullptr ? shown->firing() : std::vector<ports::Alert>{};
            },
        .buyers = credentials_.buyers(),
        .audit = audit_.get(),
        .admin_certificate_required = !config_.admin.client_ca_file.empty(),
    };
}

// What can fail comes first; then each part that has something reloadable is told, and nothing can
// go wrong any more.
void Service::reload(const ReadConfig& read) {
    const auto refuse = [](const std::string& why) {
        log::error("configuration not reloaded, all stays as it was", {{"reason", why}});
    };
    if (!read) return refuse("there is nothing to read it from");
    auto next = next_config(current_, read);
    if (!next) {
        for (const std::string& why : next.error()) refuse(why);
        return;
    }
    if (auto taken = credentials_.reload(*next); !taken) return refuse(taken.error());
    credentials_refused_.clear();
    const auto changed = config::differences(current_, *next);
    limits_->apply(*next);
    if (current_.log.level != next->log.level) log::set_level(log_level_of(next->log.level));
    current_ = std::move(*next);
    log::info("configuration reloaded", {{"changed", fmt::format("{}", fmt::join(changed, ","))}});
}

void Service::reload_changed_files() {
    const bool changed = credentials_.have_changed(current_);
    if (!changed && credentials_refused_.empty()) return;
    // What was refused is tried again at each look, and said once: it may have been no fault of the
    // file, as when there are no file descriptors left.
    const auto taken = credentials_.reload(current_);
    const std::string why = taken ? std::string{} : taken.error();
    const bool is_news = why != std::exchange(credentials_refused_, why);
    if (taken) return log::info("credentials reloaded");
    if (changed || is_news) {
        log::error("a credential's file has changed and is not used", {{"reason", why}});
    }
}

std::vector<app::WatchedThread> Service::watched() const {
    std::vector<app::WatchedThread> threads;
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
        const auto beat = [at = lanes_[lane].get()] {
            return app::Beat{.last = at->last_beat(), .idle = !at->busy()};
        };
        threads.push_back({.name = fmt::format("fc-lane-{}", lane), .beat = beat});
    }
    for (unsigned thread = 0; thread < io_threads_of(config_); ++thread) {
        const auto beat = [this, thread] { return app::Beat{.last = server_->last_beat(thread)}; };
        threads.push_back({.name = fmt::format("fc-io-{}", thread), .beat = beat});
    }
    if (admin_server_ != nullptr) {
        const auto beat = [this] { return app::Beat{.last = admin_server_->last_beat(0)}; };
        threads.push_back({.name = "fc-admin-0", .beat = beat});
    }
    return threads;
}

app::WatchdogEvents Service::watchdog_events() const {
    return {
        .stuck =
            [](const std::string& name) {
                log::error("a thread has stopped moving", {{"thread", name}});
                notify_status(name + " has stopped moving");
            },
        .moves =
            [](const std::string& name) {
                log::warn("a thread moves again", {{"thread", name}});
                notify_status(name + " moves again");
            },
        .alive = notify_alive,
    };
}

// Readiness goes first, so that balancers look elsewhere while we still serve; then the listening
// sockets, the requests in flight, and last what waits in the lanes.
int Service::drain() {
    drained_ = true;
    state_.drain();
    notify_stopping("draining");
    if (alerts_) alerts_->stop();
    server_->begin_drain();
    if (admin_server_ != nullptr) admin_server_->begin_drain();
    std::promise<void> never;
    (void)never.get_future().wait_for(config_.shutdown.settle);
    watchdog_->stop();
    server_->stop_accepting();
    const auto finish_by = clock_.monotonic() + config_.shutdown.in_flight;
    std::size_t cut = server_->finish(finish_by);
    if (admin_server_ != nullptr) cut += admin_server_->finish(finish_by);
    place_order_->drain();
    const auto drain_by = clock_.monotonic() + config_.shutdown.drain;
    auto drained = std::async(std::launch::async, [this] {
        for (const auto& lane : lanes_) lane->close_and_drain();
    });
    if (drained.wait_for(config_.shutdown.drain) != std::future_status::ready) {
        std::size_t pending = 0;
        for (const auto& lane : lanes_) pending += lane->queue_depth();
        log::error(
            "the lanes did not drain in time; nobody was told \"accepted\" for what is left",
            {{"orders_pending", pending}}
        );
        log::stop();
        std::_Exit(1);
    }
    const std::uint64_t events = backend_->drain(drain_by);
    health_->stop();
    if (probe_server_) static_cast<void>(probe_server_->finish(clock_.monotonic()));
    alerts_shown_.store(nullptr);
    alerts_.reset();
    audit_->stop();
    find_order_->close_and_drain();
    find_order_.reset();
    backend_->rest();
    tracing_.drain(std::min(drain_by, clock_.monotonic() + spans_patience));
    if (cut > 0) log::warn("connections were cut with requests in flight", {{"connections", cut}});
    log::info(
        "stopped", {{"connections_cut", cut}, {"orders_pending", 0}, {"events_pending", events}}
    );
    return cut == 0 && events == 0 ? 0 : 1;
}

std::expected<void, std::string> write_ready_file(
    const std::string& path, const std::string& address
) {
    // Written beside and renamed: whoever waits for the file never reads half of it.
    const std::string draft = path + ".new";
    std::ofstream out{draft};
    out << address << '\n';
    out.close();
    if (!out || ::rename(draft.c_str(), path.c_str()) != 0) {
        return std::unexpected("cannot write the ready file " + path);
    }
    return {};
}

}  // namespace

void stop_at_once(std::string_view why) {
    log::error(why);
    log::stop();
    std::_Exit(exit_stopped_by_fault);
}

int serve(const config::Config& config, const ServeOptions& options) {
    const auto fail = [](const std::string& why) {
        log::error("cannot start", {{"reason", why}});
        log::stop();
        return 1;
    };
    for (const std::string& refusal : config::refusals(config)) return fail(refusal);
    for (const std::string& warning : config::warnings(config)) log::warn(warning);

    // A write beyond the file size limit is to be an error of that write, not the end of us.
    ::signal(SIGXFSZ, SIG_IGN);
    ::signal(SIGPIPE, SIG_IGN);
    Service service{config};
    if (auto started = service.start(options); !started) return fail(started.error());
    log::info(
        "listening",
        {{"address", service.address()},
         {"url", (config.has_tls() ? "https://" : "http://") + service.address()},
         {"admin_address", service.admin_address()},
         {"mode", config.mode == config::Mode::embedded ? "embedded" : "distributed"},
         {"data", config.data.dir},
         {"version", cli::version()}}
    );
    if (!options.ready_file.empty()) {
        if (auto told = write_ready_file(options.ready_file, service.address()); !told) {
            static_cast<void>(service.drain());
            return fail(told.error());
        }
    }
    if (const auto open = complaint_about_directory(config.data.dir); !open.empty())
        log::warn(open);
    notify_ready("serving on " + service.address());
    const Signals signals;
    int got = 0;
    while (got != SIGTERM && got != SIGINT) {
        got = signals.wait(look_at_files_every);
        if (got == SIGHUP) {
            notify_reloading(base::SystemClock{}.monotonic(), "reloading");
            service.reload(options.reread);
            notify_ready("serving on " + service.address());
        }
        if (got == 0) service.reload_changed_files();
    }
    signals.end(got);
    const int exit_code = service.drain();
    log::stop();
    return exit_code;
}

}  // namespace firstcome::wiring
