// src/adapters/sqlite/ledger.cpp - decided in memory, durable in one transaction
#include "adapters/sqlite/ledger.hpp"

#include "adapters/sqlite/trace_bytes.hpp"
#include "base/assert.hpp"
#include "base/failpoint.hpp"
#include "domain/replay.hpp"
#include "telemetry/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <ranges>
#include <utility>

namespace firstcome::sqlite {

using domain::Accepted;
using domain::Granted;
using domain::Order;
using domain::OrderStatus;
using domain::Outcome;
using domain::Rejected;
using domain::Remembered;
using domain::StockChange;
using domain::StockFigures;
using ports::LedgerError;

namespace {

std::optional<std::int64_t> milliseconds_of(const std::optional<domain::WallTime>& time) {
    if (!time) return std::nullopt;
    return time->time_since_epoch().count();
}

std::optional<domain::WallTime> wall_time_of(std::optional<std::int64_t> milliseconds) {
    if (!milliseconds) return std::nullopt;
    return domain::WallTime{std::chrono::milliseconds{*milliseconds}};
}

// What a change asks for, spelled once: two changes under one key are the same if these are.
std::string payload_of(const StockChange& change) {
    const auto time = [](const std::optional<std::optional<domain::WallTime>>& given) {
        if (!given) return std::string("-");
        return *given ? fmt::format("{}", *milliseconds_of(*given)) : std::string("none");
    };
    std::string limit = "-";
    if (change.per_user_limit) {
        limit = *change.per_user_limit ? fmt::format("{}", **change.per_user_limit) : "none";
    }
    return fmt::format(
        "{} {} {} {} {} {}",
        change.item.text(),
        name(change.operation),
        change.quantity,
        time(change.opens_at),
        time(change.closes_at),
        limit
    );
}

}  // namespace

std::expected<void, LedgerError> Ledger::place(
    std::span<const domain::OrderRequest> batch, std::span<Outcome> outcomes
) {
    FC_ASSERT(!batch.empty());
    FC_ASSERT(batch.size() == outcomes.size());
    finish_checkpoint();
    const domain::WallTime now = clock_.wall();
    const base::MonotonicTime monotonic_now = clock_.monotonic();
    new_orders_.clear();
    base::failpoint("before_decide");
    constexpr std::size_t ahead = 16;  // orders, as in UserChains
    for (std::size_t i = 0; i < batch.size(); ++i) {
        if (i + ahead < batch.size() && batch[i + ahead].key) {
            shard_.prefetch(*batch[i + ahead].key);
        }
        auto decision = shard_.decide(batch[i], now, monotonic_now);
        if (auto* yes = std::get_if<Granted>(&decision)) {
            yes->order.status = OrderStatus::confirmed;  // told only once it is
            outcomes[i] = Accepted{.order = yes->order};
            new_orders_.push_back(
                {.granted = std::move(*yes), .key = batch[i].key, .trace = batch[i].trace}
            );
        } else if (const auto* known = std::get_if<Remembered>(&decision)) {
            auto answer = replay(batch[i], known->order_high);
            if (!answer) {
                shard_.revert();
                return std::unexpected(give_up(answer.error(), "read a remembered order"));
            }
            outcomes[i] = *answer;
        } else {
            outcomes[i] = std::get<Rejected>(decision);
        }
    }
    if (new_orders_.empty()) return {};

    chain_new_orders();
    if (auto written = in_transaction([this] { return write_new_orders(); }); !written) {
        shard_.revert();
        return std::unexpected(give_up(written.error(), "write orders"));
    }
    chains_.publish(links_);
    for (const domain::Sale* sale : shard_.touched()) publish(*sale);
    shard_.commit();
    base::failpoint("before_reply");
    return {};
}

// The order may be one of this very batch: then it is not in the file yet.
std::expected<Outcome, SqliteError> Ledger::replay(
    const domain::OrderRequest& request, std::uint64_t order_high
) {
    for (const NewOrder& order : new_orders_ | std::views::reverse) {
        if (order.granted.order.id.high < order_high) break;
        if (order.granted.order.id.high == order_high) {
            return domain::replay(request, order.granted.order);
        }
    }
    auto first = load(order_high);
    if (!first) return std::unexpected(first.error());
    if (!*first) {
        return std::unexpected(SqliteError{
            SqliteError::Kind::corrupt, "a remembered order is not in the file"});
    }
    return domain::replay(request, **first);
}

// As it was answered then: a later release does not change what a repeat is told.
std::expected<std::optional<Order>, SqliteError> Ledger::load(std::uint64_t order_high) {
    Statement& find = statements_.find_order;
    find.bind(0, static_cast<std::int64_t>(order_high));
    auto there = find.step();
    if (!there) return std::unexpected(there.error());
    if (!*there) return std::nullopt;
    const auto row = read_row(find, hash_);
    find.reset();
    const auto item = row ? item_ids_.find(row->item_no) : item_ids_.end();
    if (item == item_ids_.end()) {
        return std::unexpected(SqliteError{SqliteError::Kind::corrupt, "an order's row is damaged"}
        );
    }
    return Order{
        .id = row->id,
        .user = row->user,
        .item = item->second,
        .quantity = row->quantity,
        .sequence = row->sequence,
        .accepted_at = row->accepted_at,
        .status = OrderStatus::confirmed,
    };
}

// Each new order points to its user's one before: in this batch, or the newest of earlier ones.
void Ledger::chain_new_orders() {
    const std::size_t count = new_orders_.size();
    links_.resize(count);
    by_user_.resize(count);
    std::iota(by_user_.begin(), by_user_.end(), 0U);
    for (std::size_t i = 0; i < count; ++i) {
        links_[i] = {.user_hash = new_orders_[i].granted.user_hash, .order_high = 0};
    }
    chains_.newest(links_);
    std::ranges::sort(by_user_, {}, [this](std::uint32_t i) {
        return std::pair(links_[i].user_hash, i);
    });
    for (std::size_t k = 0; k < count; ++k) {
        NewOrder& order = new_orders_[by_user_[k]];
        const bool follows = k > 0 && links_[by_user_[k - 1]].user_hash == order.granted.user_hash;
        order.previous = follows ? new_orders_[by_user_[k - 1]].granted.order.id.high
                                 : links_[by_user_[k]].order_high;
    }
    for (std::size_t i = 0; i < count; ++i) {
        links_[i].order_high = new_orders_[i].granted.order.id.high;
    }
}

std::expected<void, SqliteError> Ledger::write_new_orders() {
    std::array<std::byte, 16> key_bytes;
    std::array<std::byte, trace_size> trace_bytes;
    for (const NewOrder& order : new_orders_) {
        base::failpoint("before_write");
        const OrderRow row{
            .id = order.granted.order.id,
            .user = order.granted.order.user,
            .item_no = item_numbers_.at(order.granted.order.item),
            .quantity = order.granted.order.quantity,
            .sequence = order.granted.order.sequence,
            .accepted_at = order.granted.order.accepted_at,
            .previous = order.previous,
            .key = order.key,
        };
        const bool traced = options_.keeps_traces && order.trace.span != 0;
        Statement& insert = traced ? statements_.insert_traced_order : statements_.insert_order;
        bind_row(insert, row, hash_, key_bytes);
        if (traced) {
            trace_bytes = bytes_of_trace(order.trace);
            insert.bind(trace_parameter, std::span<const std::byte>(trace_bytes));
        }
        if (auto written = insert.run(); !written) return written;
    }
    return {};
}

std::expected<void, SqliteError> Ledger::in_transaction(
    const std::function<std::expected<void, SqliteError>()>& work
) {
    if (auto begun = statements_.begin.run(); !begun) return begun;
    auto done = work();
    if (done) {
        base::failpoint("before_commit");
        done = statements_.commit.run();
        if (!done && may_be_committed(done.error())) {
            done.error().kind = SqliteError::Kind::sync_failed;
        }
        base::failpoint("after_commit");
    }
    if (!done && database_.in_transaction()) {
        // A rollback of what was never committed cannot fail in a way that matters: nothing of it
        // is in the log, and the connection refuses the next BEGIN if it were still open.
        (void)statements_.rollback.run();
    }
    return done;
}

LedgerError Ledger::give_up(const SqliteError& error, std::string_view what) {
    if (needs_new_start(error)) {
        options_.fatal(stop_message(error, what));
        return LedgerError::outcome_unknown;
    }
    if (!std::exchange(failing_, true)) {
        log::error(
            "the disk takes no orders now; buyers are told to wait",
            {{"attempted", what}, {"error", error.text}}
        );
    }
    return error.kind == SqliteError::Kind::full ? LedgerError::storage_full
                                                 : LedgerError::unavailable;
}

std::expected<ports::StockResult, LedgerError> Ledger::change_stock(const StockChange& change) {
    finish_checkpoint();
    const std::string payload = payload_of(change);
    auto known = repeated(change, payload);
    if (!known) return std::unexpected(give_up(known.error(), "look up a repeated change"));
    if (*known) return **known;

    const domain::Sale* existing = shard_.sale(change.item);
    if (existing == nullptr && change.operation != domain::StockOperation::set) {
        return domain::StockRejected{.why = domain::StockRejection::item_not_found};
    }
    const domain::Sale empty{change.item};
    const domain::Sale& current = existing == nullptr ? empty : *existing;
    const auto result = current.changed(change, clock_.wall());
    if (const auto* no = std::get_if<domain::StockRejected>(&result)) return *no;

    const StockFigures before = current.figures();
    const auto& after = std::get<StockFigures>(result);
    auto written = in_transaction([&] { return write_change(change, payload, before, after); });
    if (!written) {
        if (existing == nullptr) forget_number(change.item);
        return std::unexpected(give_up(written.error(), "write a stock change"));
    }

    domain::Sale& sale = shard_.open_sale(change.item);
    sale.adopt(after);
    if (sale.needs_bought_counts()) {
        if (auto counted = count_bought(sale); !counted) {
            options_.fatal("cannot count what users already hold: " + counted.error().text);
            return std::unexpected(LedgerError::outcome_unknown);
        }
    }
    publish(sale);
    return ports::StockChanged{.figures = after};
}

// Changes are few and their rows are kept for ever, so their keys are too.
std::expected<std::optional<ports::StockResult>, SqliteError> Ledger::repeated(
    const StockChange& change, const std::string& payload
) {
    if (!change.key) return std::nullopt;
    const auto key_bytes = bytes_of(*change.key);
    Statement& find = statements_.find_movement;
    find.bind(0, std::span<const std::byte>(key_bytes));
    auto there = find.step();
    if (!there) return std::unexpected(there.error());
    if (!*there) return std::nullopt;
    if (find.text(0) != payload) {
        find.reset();
        return domain::StockRejected{.why = domain::StockRejection::idempotency_key_reused};
    }
    StockFigures figures;
    figures.item = change.item;
    figures.as_of = *wall_time_of(find.integer(1));
    figures.initial = find.integer(2);
    figures.restocked = find.integer(3);
    figures.remaining = find.integer(4);
    figures.sold = find.integer(5);
    figures.compensating = find.integer(6);
    figures.orders = static_cast<domain::Sequence>(find.integer(7));
    figures.window = {wall_time_of(find.maybe_integer(8)), wall_time_of(find.maybe_integer(9))};
    figures.per_user_limit = find.maybe_integer(10);
    find.reset();
    return ports::StockChanged{.figures = figures, .replayed = true};
}

std::expected<void, SqliteError> Ledger::write_change(
    const StockChange& change,
    const std::string& payload,
    const StockFigures& before,
    const StockFigures& after
) {
    auto number = item_numbers_.find(change.item);
    if (number == item_numbers_.end()) {
        const auto next = static_cast<std::int64_t>(item_numbers_.size()) + 1;
        number = item_numbers_.emplace(change.item, next).first;
        item_ids_.emplace(next, change.item);
    }
    Statement& item = statements_.upsert_item;
    item.bind(0, number->second);
    item.bind(1, change.item.text());
    item.bind(2, after.initial);
    item.bind(3, after.restocked);
    item.bind(4, milliseconds_of(after.window.opens_at));
    item.bind(5, milliseconds_of(after.window.closes_at));
    item.bind(6, after.per_user_limit);
    item.bind(7, milliseconds_of(after.as_of));
    if (auto written = item.run(); !written) return written;

    Statement& row = statements_.insert_movement;
    std::array<std::byte, 16> key_bytes{};
    row.bind(0, milliseconds_of(after.as_of));
    row.bind(1, change.item.text());
    row.bind(2, name(change.operation));
    row.bind(3, change.quantity);
    row.bind(4, std::string_view(change.reason));
    row.bind(5, std::string_view(change.who));
    row.bind(6, std::string_view(change.trace_id));
    if (change.key) {
        key_bytes = bytes_of(*change.key);
        row.bind(7, std::span<const std::byte>(key_bytes));
    } else {
        row.bind_null(7);
    }
    row.bind(8, std::string_view(payload));
    row.bind(9, before.total());
    row.bind(10, milliseconds_of(before.window.opens_at));
    row.bind(11, milliseconds_of(before.window.closes_at));
    row.bind(12, before.per_user_limit);
    row.bind(13, after.initial);
    row.bind(14, after.restocked);
    row.bind(15, after.remaining);
    row.bind(16, after.sold);
    row.bind(17, after.compensating);
    row.bind(18, static_cast<std::int64_t>(after.orders));
    row.bind(19, milliseconds_of(after.window.opens_at));
    row.bind(20, milliseconds_of(after.window.closes_at));
    row.bind(21, after.per_user_limit);
    return row.run();
}

// The item's row was not written: its number goes to the next new item, since the start takes a
// missing number for a lost item.
void Ledger::forget_number(const domain::ItemId& item) {
    const auto number = item_numbers_.find(item);
    if (number == item_numbers_.end()) return;
    item_ids_.erase(number->second);
    item_numbers_.erase(number);
}

// A limit set on a sale that already runs: what each user holds is counted from the file, once.
std::expected<void, SqliteError> Ledger::count_bought(domain::Sale& sale) {
    sale.start_counting_bought();
    Statement& orders = statements_.orders_of_item;
    orders.bind(0, item_numbers_.at(sale.figures().item));
    while (true) {
        auto there = orders.step();
        if (!there) return std::unexpected(there.error());
        if (!*there) return {};
        sale.count_bought(hash_.hash64(orders.text(0)), orders.integer(1));
    }
}

std::expected<ports::Release, LedgerError> Ledger::release(
    domain::OrderId order, std::string_view reason
) {
    finish_checkpoint();
    auto found = load(order.high);
    if (!found) return std::unexpected(give_up(found.error(), "read an order to release"));
    if (!*found || (*found)->id != order) return ports::Release::order_not_found;

    Statement& released = statements_.find_release;
    released.bind(0, static_cast<std::int64_t>(order.high));
    auto there = released.step();
    if (!there) return std::unexpected(give_up(there.error(), "look up a release"));
    released.reset();
    if (*there) return ports::Release::already_released;

    auto written = in_transaction([&] {
        Statement& insert = statements_.insert_release;
        insert.bind(0, static_cast<std::int64_t>(order.high));
        insert.bind(1, milliseconds_of(clock_.wall()));
        insert.bind(2, reason);
        return insert.run();
    });
    if (!written) return std::unexpected(give_up(written.error(), "write a release"));
    domain::Sale* sale = shard_.sale((*found)->item);
    FC_ASSERT(sale != nullptr);
    sale->release(shard_.hash_of((*found)->user), (*found)->quantity);
    publish(*sale);
    return ports::Release::released;
}

std::expected<void, std::string> Ledger::rest() {
    checkpointer_.reset();
    database_.on_commit([](void*, int) {}, nullptr);
    auto emptied = database_.empty_log();
    if (!emptied) return std::unexpected(emptied.error().text);
    return {};
}

std::optional<StockFigures> Ledger::stock(const domain::ItemId& item) const {
    return board_.stock(item);
}

std::vector<StockFigures> Ledger::all_stock() const {
    return board_.all_stock();
}

void Ledger::publish(const domain::Sale& sale) {
    if (std::exchange(failing_, false)) log::info("the disk takes orders again");
    StockFigures figures = sale.figures();
    figures.as_of = clock_.wall();
    board_.publish(figures);
}

// The background thread has moved most of the log; with the rest gone SQLite starts it over.
void Ledger::finish_checkpoint() {
    if (!checkpointer_->finish_due()) return;
    const auto done = database_.checkpoint();
    if (done) return;
    if (needs_new_start(done.error())) options_.fatal(stop_message(done.error(), "checkpoint"));
    log::warn("could not finish a checkpoint", {{"error", done.error().text}});
}

}  // namespace firstcome::sqlite
