// src/wiring/service.cpp - builds all objects in order of life, and takes them down again
#include "wiring/service.hpp"

#include "http/api.hpp"
#include "telemetry/log.hpp"
#include "wiring/notify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <future>
#include <utility>

namespace firstcome::wiring {

namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds stuck_after{5};
constexpr std::size_t read_queue_capacity = 4096;  // reads that may wait, per reader thread
constexpr std::string_view demo_item = "demo";
constexpr domain::Units demo_units = 100;
constexpr std::chrono::seconds demo_patience{15};  // for a shard that is still being rebuilt
constexpr milliseconds demo_pause{200};

constexpr std::chrono::seconds spans_patience{2};  // of a stop, for a collector that is slow

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

}  // namespace

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
    metrics_.attach(metric_sources());
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

std::expected<void, std::string> Service::start_alerts() {
    const AlertParts parts{
        .clock = clock_,
        .metrics = metrics_,
        .stock_desk = *stock_desk_,
        .place_order = *place_order_,
        .reply_timeouts = [this] { return server_->figures().reply_timeouts; },
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

}  // namespace firstcome::wiring
