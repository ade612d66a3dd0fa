// src/wiring/service.hpp - all objects of a running service, in order of life
#pragma once

#include "app/audit_desk.hpp"
#include "app/find_order.hpp"
#include "app/order_lane.hpp"
#include "app/place_order.hpp"
#include "app/service_state.hpp"
#include "app/stock_desk.hpp"
#include "app/store_watch.hpp"
#include "app/watchdog.hpp"
#include "base/entropy.hpp"
#include "base/time.hpp"
#include "config/config.hpp"
#include "http/app.hpp"
#include "http/orders_handler.hpp"
#include "http/server.hpp"
#include "telemetry/metrics.hpp"
#include "telemetry/scrapes.hpp"
#include "wiring/alerts.hpp"
#include "wiring/backend.hpp"
#include "wiring/credentials.hpp"
#include "wiring/health.hpp"
#include "wiring/http_options.hpp"
#include "wiring/limits.hpp"
#include "wiring/measures.hpp"
#include "wiring/serve.hpp"
#include "wiring/tracing.hpp"

#include <atomic>
#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::wiring {

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
    void make_listeners();
    [[nodiscard]] std::expected<void, std::string> start_alerts();

    // What the parts may ask of the whole: service_parts.cpp.
    [[nodiscard]] http::App make_app();
    [[nodiscard]] telemetry::MetricSources metric_sources();
    [[nodiscard]] telemetry::HttpStats all_http_stats() const;
    [[nodiscard]] HealthSources health_sources();
    [[nodiscard]] std::vector<app::WatchedThread> watched() const;
    [[nodiscard]] app::WatchdogEvents watchdog_events() const;

    const config::Config& config_;  // as at the start
    config::Config current_;        // the same where a reload changes nothing
    base::SystemClock clock_;
    base::SystemEntropy entropy_;  // main's
    Credentials credentials_{clock_, entropy_};
    std::string credentials_refused_;  // why, at the last look; empty: they were taken
    http::ApiOptions api_options_;
    app::ServiceState state_;
    telemetry::Metrics metrics_;
    telemetry::Scrapes scrapes_{[this] { return metrics_.scrape(); }, clock_};
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

}  // namespace firstcome::wiring
