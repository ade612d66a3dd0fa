// src/adapters/sqlite/recovery.cpp - the start: read once, rebuild memory, assert invariants
#include "adapters/sqlite/damage.hpp"
#include "adapters/sqlite/ledger.hpp"
#include "adapters/sqlite/log_check.hpp"
#include "adapters/sqlite/order_scan.hpp"
#include "adapters/sqlite/rebuild.hpp"
#include "base/assert.hpp"
#include "telemetry/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <utility>

namespace firstcome::sqlite {

namespace {

constexpr std::size_t log_bytes_per_page = 4096 + 24;  // with the frame's header
constexpr std::size_t log_bytes_ahead_max = std::size_t{17} << 20U;

// Reading all rows in order never uses what a look-up by id goes by; this finds damage there too.
std::expected<void, std::string> check_structure(const std::string& file) {
    auto database = Database::open(file, Database::Mode::write);
    if (!database) return std::unexpected(read_failed(database.error()));
    auto check = database->prepare("PRAGMA quick_check(1)");
    if (!check) return std::unexpected(read_failed(check.error()));
    auto there = check->step();
    if (!there) return std::unexpected(read_failed(there.error()));
    const std::string found{*there ? check->text(0) : "no answer"};
    if (found != "ok") return std::unexpected(damaged(found));
    return {};
}

// A file made before orders were stored with their trace.
std::expected<void, SqliteError> add_trace_column(Database& database) {
    auto there =
        database.prepare("SELECT count(*) FROM pragma_table_info('orders') WHERE name = 'trace'");
    if (!there) return std::unexpected(there.error());
    auto row = there->step();
    if (!row) return std::unexpected(row.error());
    if (there->integer(0) > 0) return {};
    there->reset();
    return database.execute("ALTER TABLE orders ADD COLUMN trace BLOB");
}

}  // namespace

std::expected<std::unique_ptr<Ledger>, std::string> Ledger::open(
    Options options,
    const DataDir& dir,
    const base::Clock& clock,
    base::Entropy& entropy,
    const base::KeyedHash& hash
) {
    FC_ASSERT(options.fatal != nullptr);
    const std::string file = dir.lane_file(options.lane);
    const auto fail = [&file](const SqliteError& error) {
        return std::unexpected(fmt::format("{}: {}", file, read_failed(error)));
    };
    auto database = Database::open(file, Database::Mode::write);
    if (!database) return fail(database.error());
    auto set = database->execute(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
        "PRAGMA cell_size_check = ON; PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY"
    );
    if (set) set = add_trace_column(*database);
    if (!set) return fail(set.error());

    const auto find_order = fmt::format("SELECT {} FROM orders o WHERE o.id = ?", order_columns);
    const std::string_view upsert_item =
        "INSERT INTO items (item_no, item_id, initial, restocked, opens_at, closes_at,"
        " per_user_limit, as_of) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (item_no) DO UPDATE SET initial = excluded.initial,"
        " restocked = excluded.restocked, opens_at = excluded.opens_at,"
        " closes_at = excluded.closes_at, per_user_limit = excluded.per_user_limit,"
        " as_of = excluded.as_of";
    const std::string_view insert_movement =
        "INSERT INTO stock_movements (at, item_id, operation, quantity, reason, who, trace_id, key,"
        " payload, before_total, before_opens_at, before_closes_at, before_per_user_limit,"
        " after_initial, after_restocked, after_remaining, after_sold, after_compensating,"
        " after_orders, after_opens_at, after_closes_at, after_per_user_limit)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    const std::string_view find_movement =
        "SELECT payload, at, after_initial, after_restocked, after_remaining, after_sold,"
        " after_compensating, after_orders, after_opens_at, after_closes_at, after_per_user_limit"
        " FROM stock_movements WHERE key = ? ORDER BY id DESC LIMIT 1";
    const std::string_view texts[] = {
        insert_order,
        insert_traced_order,
        find_order,
        "SELECT user, quantity FROM orders WHERE item = ?"
        " AND id NOT IN (SELECT order_id FROM releases)",
        "SELECT 1 FROM releases WHERE order_id = ?",
        "INSERT INTO releases (order_id, released_at, reason) VALUES (?, ?, ?)",
        upsert_item,
        insert_movement,
        find_movement,
        "BEGIN IMMEDIATE",
        "COMMIT",
        "ROLLBACK",
        "SELECT coalesce(max(id), 0) FROM orders",
    };
    std::vector<Statement> made;
    for (const std::string_view text : texts) {
        auto statement = database->prepare(text);
        if (!statement) return fail(statement.error());
        made.push_back(std::move(*statement));
    }
    auto last = made[12].step();
    if (!last) return fail(last.error());
    const auto last_id = static_cast<std::uint64_t>(made[12].integer(0));
    made[12].reset();

    const int pages_long = options.checkpoint_pages;
    const std::size_t lane = options.lane;
    std::unique_ptr<Ledger> ledger{new Ledger(
        std::move(options),
        std::move(*database),
        Statements{
            .insert_order = std::move(made[0]),
            .insert_traced_order = std::move(made[1]),
            .find_order = std::move(made[2]),
            .orders_of_item = std::move(made[3]),
            .find_release = std::move(made[4]),
            .insert_release = std::move(made[5]),
            .upsert_item = std::move(made[6]),
            .insert_movement = std::move(made[7]),
            .find_movement = std::move(made[8]),
            .begin = std::move(made[9]),
            .commit = std::move(made[10]),
            .rollback = std::move(made[11]),
        },
        clock,
        entropy,
        hash,
        last_id
    )};
    // On a thread of its own: together they take hardly longer than the longer one.
    auto structure = std::async(std::launch::async, check_structure, file);
    const auto recovered = ledger->recover();
    const auto sound = structure.get();
    for (const auto& result : {sound, recovered}) {
        if (!result) return std::unexpected(fmt::format("{}: {}", file, result.error()));
    }
    const std::size_t log_bytes =
        std::min(static_cast<std::size_t>(pages_long) * log_bytes_per_page, log_bytes_ahead_max);
    if (auto longer = lengthen_log(file, log_bytes); !longer) {
        log::warn("commits will be slower at first", {{"reason", longer.error()}});
    }
    auto checkpointer = Checkpointer::start(
        file, fmt::format("fc-ckpt-{}", lane), pages_long, ledger->options_.fatal
    );
    if (!checkpointer) return fail(checkpointer.error());
    ledger->checkpointer_ = std::move(*checkpointer);
    ledger->database_.on_commit(
        [](void* to, int pages) { static_cast<Checkpointer*>(to)->log_has(pages); },
        ledger->checkpointer_.get()
    );
    return ledger;
}

Ledger::Ledger(
    Options options,
    Database database,
    Statements statements,
    const base::Clock& clock,
    base::Entropy& entropy,
    const base::KeyedHash& hash,
    std::uint64_t last_id
)
    : options_(std::move(options)),
      database_(std::move(database)),
      statements_(std::move(statements)),
      clock_(clock),
      hash_(hash),
      ids_(static_cast<unsigned>(options_.lane), last_id, entropy),
      shard_(options_.key_ttl, hash, ids_) {}

std::expected<void, std::string> Ledger::recover() {
    if (auto items = recover_items(); !items) return items;
    if (auto orders = recover_orders(); !orders) return orders;
    if (auto counted = compare_with_movements(); !counted) return counted;
    for (const auto& [item, number] : item_numbers_) {
        const domain::Sale* sale = shard_.sale(item);
        FC_ASSERT(sale->figures().drift() == 0);
        publish(*sale);
    }
    return {};
}

std::expected<void, std::string> Ledger::recover_items() {
    auto items = database_.prepare(
        "SELECT item_no, item_id, initial, restocked, opens_at, closes_at, per_user_limit, as_of"
        " FROM items ORDER BY item_no"
    );
    if (!items) return std::unexpected(read_failed(items.error()));
    const auto time = [](std::optional<std::int64_t> at) -> std::optional<domain::WallTime> {
        if (!at) return std::nullopt;
        return domain::WallTime{std::chrono::milliseconds{*at}};
    };
    while (true) {
        auto there = items->step();
        if (!there) return std::unexpected(read_failed(there.error()));
        if (!*there) return {};
        const std::int64_t number = items->integer(0);
        const auto item = domain::ItemId::from(items->text(1));
        domain::StockFigures figures;
        figures.initial = items->integer(2);
        figures.restocked = items->integer(3);
        figures.remaining = figures.total();
        figures.window = {time(items->maybe_integer(4)), time(items->maybe_integer(5))};
        figures.per_user_limit = items->maybe_integer(6);
        figures.as_of = *time(items->integer(7));
        const auto expected = static_cast<std::int64_t>(item_numbers_.size()) + 1;
        if (!item || number != expected || figures.total() < 0) {
            return std::unexpected(damaged(fmt::format("item number {} is not whole", number)));
        }
        figures.item = *item;
        shard_.open_sale(*item).adopt(figures);
        item_numbers_.emplace(*item, number);
        item_ids_.emplace(number, *item);
    }
}

std::expected<void, std::string> Ledger::recover_orders() {
    auto released = released_orders();
    if (!released) return std::unexpected(released.error());
    Rebuild::Options options{
        .sales = {},
        .released = std::move(*released),
        .key_ttl = options_.key_ttl,
        .now = clock_.wall(),
        .monotonic_now = clock_.monotonic(),
    };
    options.sales.resize(item_ids_.size());
    for (const auto& [number, item] : item_ids_) {
        options.sales[static_cast<std::size_t>(number - 1)] = shard_.sale(item);
    }
    Rebuild rebuild{std::move(options), shard_, chains_, hash_};
    auto read = scan_orders(
        database_,
        [&rebuild](std::span<const RowView> rows) { return rebuild.take(rows); },
        options_.progress
    );
    if (!read) return std::unexpected(read.error());
    orders_recovered_ = *read;
    return rebuild.finish();
}

// Nothing in the log points to its newest orders; but each change of stock wrote down how many
// there were.
std::expected<void, std::string> Ledger::compare_with_movements() {
    auto movements =
        database_.prepare("SELECT item_id, max(after_orders) FROM stock_movements GROUP BY item_id"
        );
    if (!movements) return std::unexpected(read_failed(movements.error()));
    while (true) {
        auto there = movements->step();
        if (!there) return std::unexpected(read_failed(there.error()));
        if (!*there) return {};
        const auto item = domain::ItemId::from(movements->text(0));
        const domain::Sale* sale = item ? shard_.sale(*item) : nullptr;
        const auto counted = static_cast<domain::Sequence>(movements->integer(1));
        const domain::Sequence found = sale == nullptr ? 0 : sale->figures().orders;
        if (sale != nullptr && counted <= found) continue;
        return std::unexpected(damaged(fmt::format(
            "item {} has {} orders, but a change of its stock counted {}",
            movements->text(0),
            found,
            counted
        )));
    }
}

std::expected<std::unordered_set<std::uint64_t>, std::string> Ledger::released_orders() {
    auto releases = database_.prepare("SELECT order_id FROM releases");
    if (!releases) return std::unexpected(read_failed(releases.error()));
    std::unordered_set<std::uint64_t> released;
    while (true) {
        auto there = releases->step();
        if (!there) return std::unexpected(read_failed(there.error()));
        if (!*there) return released;
        released.insert(static_cast<std::uint64_t>(releases->integer(0)));
    }
}

}  // namespace firstcome::sqlite
