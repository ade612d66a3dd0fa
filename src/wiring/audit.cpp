// src/wiring/audit.cpp - checks PostgreSQL and Redis against the invariants and each other
#include "wiring/audit.hpp"

#include "adapters/postgres/audit.hpp"
#include "adapters/postgres/record.hpp"
#include "adapters/redis/check.hpp"
#include "adapters/redis/shard_view.hpp"
#include "base/doorbell.hpp"
#include "base/entropy.hpp"
#include "base/time.hpp"
#include "wiring/store_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace firstcome::wiring {

namespace {

using domain::ItemId;
using domain::Sequence;
using domain::Units;
using ports::RecordedItem;
using redis::ShardView;

constexpr std::chrono::minutes call_timeout{30};   // 20 million orders are read in one call
constexpr int looks = 6;                           // what differs at each of them is broken
constexpr std::chrono::milliseconds between{300};  // longer than a stock change or a release
constexpr std::chrono::minutes newest_orders{2};   // how far clocks of nodes may be apart

using Findings = std::map<ItemId, std::string>;

/// One shard's Redis beside PostgreSQL, looked at again and again.
class ShardAudit {
public:
    ShardAudit(
        unsigned shard,
        redis::ConnectionOptions options,
        postgres::Record& record,
        postgres::Audit& audit,
        const base::Clock& clock
    )
        : shard_(shard),
          record_(record),
          audit_(audit),
          clock_(clock),
          connection_(std::move(options), clock),
          calls_({.ask_again = {}}, shard, connection_, record, clock) {}

    /// Adds what stays broken; an error: why it could not look.
    [[nodiscard]] std::expected<void, std::string> run(ports::AuditReport& report);

private:
    using Orders = std::map<ItemId, Sequence>;

    /// Nothing: it is being rebuilt just now.
    [[nodiscard]] std::expected<std::optional<Findings>, std::string> look(
        ports::AuditReport& report, bool last
    );
    [[nodiscard]] std::expected<std::map<ItemId, Units>, std::string> taken_since(
        const ShardView& view, const std::vector<RecordedItem>& items
    );
    [[nodiscard]] std::string compare(
        const ShardView& view, const RecordedItem& recorded, Units taken_since
    ) const;

    unsigned shard_;
    postgres::Record& record_;  // outlives
    postgres::Audit& audit_;    // outlives
    const base::Clock& clock_;  // outlives
    redis::Connection connection_;
    redis::ShardCalls calls_;
    Orders stored_;  // at the look before
};

std::expected<void, std::string> ShardAudit::run(ports::AuditReport& report) {
    const redis::ServerCheck check = redis::check_server(connection_);
    if (!check.error.empty()) return std::unexpected("redis.url: " + check.error);
    base::Doorbell rests;
    Findings stay;
    int compared = 0;
    for (int at = 0; at < looks; ++at) {
        if (at > 0) rests.rest(between);
        auto found = look(report, at == looks - 1);
        if (!found) return std::unexpected(std::move(found.error()));
        if (!*found) continue;
        const bool first = compared++ == 0;
        std::erase_if(**found, [&](const auto& e) { return !first && !stay.contains(e.first); });
        stay = std::move(**found);
        if (stay.empty() && !first) return {};
    }
    for (auto& [item, what] : stay) report.find(std::move(what));
    return {};
}

std::expected<std::optional<Findings>, std::string> ShardAudit::look(
    ports::AuditReport& report, bool last
) {
    const auto view = redis::view_shard(calls_, clock_.wall());
    if (!view && (view.error() != ports::LedgerError::rebuilding || last)) {
        return std::unexpected(fmt::format(
            "Redis: shard {} cannot be read ({}): it is being rebuilt, or it was emptied while no "
            "node ran; start a node, or try again",
            shard_,
            name(view.error())
        ));
    }
    if (!view) return std::nullopt;
    const auto items = record_.items(shard_);
    if (!items) return std::unexpected("PostgreSQL does not answer any more");
    auto since = taken_since(*view, *items);
    if (!since) return std::unexpected(std::move(since.error()));
    Findings found;
    for (const RecordedItem& recorded : *items) {
        auto what = compare(*view, recorded, (*since)[recorded.figures.item]);
        if (!what.empty()) found.emplace(recorded.figures.item, std::move(what));
        stored_[recorded.figures.item] = recorded.figures.orders;
    }
    for (const auto& [item, live] : view->items) {
        if (stored_.contains(item)) continue;
        found.emplace(
            item,
            fmt::format("item {}: Redis sells it, PostgreSQL does not know it (I2)", item.text())
        );
    }
    if (last) {
        for (const std::string& damage : view->damaged) report.find(damage);
    }
    return found;
}

// The relay goes on while we look: what PostgreSQL has by now beyond the places in line that Redis
// had given out is not Redis's to know.
std::expected<std::map<ItemId, Units>, std::string> ShardAudit::taken_since(
    const ShardView& view, const std::vector<RecordedItem>& items
) {
    std::vector<postgres::OrdersBetween> wanted;
    for (const RecordedItem& recorded : items) {
        const auto live = view.items.find(recorded.figures.item);
        if (live == view.items.end() || !live->second) continue;
        const Sequence seen = live->second->figures.orders;
        if (recorded.figures.orders <= seen) continue;
        wanted.push_back(
            {.item = recorded.figures.item, .after = seen, .through = recorded.figures.orders}
        );
    }
    if (wanted.empty()) return std::map<ItemId, Units>{};
    return audit_.taken_between(wanted, clock_.wall() - newest_orders);
}

/// What is broken about the item; empty: nothing.
std::string ShardAudit::compare(
    const ShardView& view, const RecordedItem& recorded, Units taken_since
) const {
    const domain::StockFigures& truth = recorded.figures;
    const auto live = view.items.find(truth.item);
    const std::string_view id = truth.item.text();
    if (live == view.items.end()) {
        return fmt::format("item {}: PostgreSQL has it, Redis does not sell it (I2)", id);
    }
    if (!live->second) return fmt::format("item {}: what Redis has of it is damaged (I2)", id);
    const domain::StockFigures& found = live->second->figures;
    Units waiting = 0;
    Sequence waiting_orders = 0;
    if (const auto line = view.waiting.find(truth.item); line != view.waiting.end()) {
        for (const redis::WaitingOrder& order : line->second) {
            if (order.sequence <= truth.orders || order.sequence > found.orders) continue;
            waiting += order.units;
            ++waiting_orders;
        }
    }
    if (found.remaining < 0 || found.remaining + found.sold != found.total()) {
        return fmt::format(
            "item {} in Redis: {} remaining and {} sold are not its total of {} (I2)",
            id,
            found.remaining,
            found.sold,
            found.total()
        );
    }
    if (found.total() != truth.total()) {
        return fmt::format(
            "item {}: a total of {} in Redis, of {} in PostgreSQL (PostgreSQL = Redis)",
            id,
            found.total(),
            truth.total()
        );
    }
    const Units taken = truth.sold + truth.compensating - taken_since + waiting;
    if (taken != found.sold) {
        return fmt::format(
            "item {}: {} units taken in Redis, {} in PostgreSQL and the outbox (PostgreSQL = "
            "Redis)",
            id,
            found.sold,
            taken
        );
    }
    const auto before = stored_.find(truth.item);
    if (before != stored_.end() && found.orders < before->second) {
        return fmt::format(
            "item {}: Redis is at place {} in line, PostgreSQL has stored place {} (I7)",
            id,
            found.orders,
            before->second
        );
    }
    if (found.orders > truth.orders && waiting_orders != found.orders - truth.orders) {
        return fmt::format(
            "item {}: of {} orders that PostgreSQL does not have, {} wait in the outbox (I10)",
            id,
            found.orders - truth.orders,
            waiting_orders
        );
    }
    return {};
}

}  // namespace

std::expected<ports::AuditReport, std::string> audit_stores(const config::Config& config) {
    const auto redis = redis_options(config);
    if (!redis) return std::unexpected(redis.error());
    const base::SystemClock clock;
    base::SystemEntropy entropy;
    postgres::ConnectionOptions patient = postgres_options(config, "audit");
    patient.call_timeout = call_timeout;
    postgres::Audit audit{patient};
    const auto shards = audit.shards();
    if (!shards) return std::unexpected(shards.error());
    postgres::Record record{{.connection = postgres_options(config, "audit")}, clock, entropy};
    ports::AuditReport report;
    for (unsigned shard = 0; shard < *shards; ++shard) {
        redis::ConnectionOptions options = *redis;
        options.shard_key = redis::ShardKeys{shard}.prefix;
        options.client_name += "-audit";
        ShardAudit shard_audit{shard, std::move(options), record, audit, clock};
        if (auto done = shard_audit.run(report); !done) return std::unexpected(done.error());
    }
    if (auto checked = audit.check(report); !checked) return std::unexpected(checked.error());
    std::ranges::sort(report.items, {}, &ports::AuditedItem::item);
    return report;
}

}  // namespace firstcome::wiring
