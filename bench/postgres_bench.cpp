// bench/postgres_bench.cpp - accepted orders into PostgreSQL: three ways, orders per second
#include "adapters/postgres/migrations.hpp"
#include "adapters/postgres/order_sink.hpp"
#include "adapters/postgres/record.hpp"
#include "base/entropy.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <vector>

using namespace firstcome;

namespace {

struct Wanted {
    std::string url;
    std::string way;
    std::uint64_t orders = 0;
    std::size_t batch = 0;
    unsigned lines = 0;
};

[[noreturn]] void stop(const std::string& why) {
    std::fprintf(stderr, "%s\n", why.c_str());
    std::exit(1);
}

/// Orders as one shard's outbox gives them: rising ids, a million users, one item, each with a key.
class Line {
public:
    explicit Line(unsigned shard) : shard_(shard), ids_(shard, 0, entropy_) {}

    std::vector<domain::Event> next(std::size_t size) {
        std::vector<domain::Event> events(size);
        const auto now = base::SystemClock{}.wall();
        for (domain::Event& event : events) {
            event.id = ids_.next(now);
            event.position = "1-1";
            const std::string user = fmt::format("user{}", entropy_.next() % 1'000'000);
            event.order = {
                .id = event.id,
                .user = *domain::UserId::from(user),
                .item = *domain::ItemId::from(fmt::format("item{}", shard_)),
                .quantity = 1,
                .sequence = ++sequence_,
                .accepted_at = now,
                .durability = domain::Durability::redis};
            event.key = domain::KeyHash{entropy_.next(), entropy_.next()};
            event.occurred_at = now;
        }
        return events;
    }

private:
    unsigned shard_;
    base::SystemEntropy entropy_;
    domain::OrderIdMaker ids_;
    domain::Sequence sequence_ = 0;
};

PGconn* connected(const std::string& url) {
    PGconn* connection = PQconnectdb(url.c_str());
    if (PQstatus(connection) != CONNECTION_OK) stop(PQerrorMessage(connection));
    return connection;
}

void run(PGconn* connection, const std::string& sql) {
    PGresult* result = PQexec(connection, sql.c_str());
    const auto status = PQresultStatus(result);
    const bool fine =
        status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_COPY_IN;
    if (!fine) stop(PQerrorMessage(connection));
    PQclear(result);
}

std::string hex(const domain::KeyHash& key) {
    return fmt::format("\\x{:016x}{:016x}", key.high, key.low);
}

std::string epoch_check(unsigned shard) {
    return fmt::format("BEGIN; SELECT FROM epochs WHERE shard = {} FOR SHARE", shard);
}

std::string count_items(unsigned shard, std::size_t size) {
    return fmt::format(
        "UPDATE items SET sold = sold + {}, orders = orders + {} WHERE item_id = 'item{}'; COMMIT",
        size,
        size,
        shard
    );
}

constexpr const char* columns =
    "(order_id, shard, user_id, item_id, quantity, sequence, accepted_at, durability, key)";

/// COPY into a temporary table, then one INSERT ... SELECT.
void copied(PGconn* connection, unsigned shard, const std::vector<domain::Event>& events) {
    run(connection, epoch_check(shard) + "; TRUNCATE staging");
    run(connection, fmt::format("COPY staging {} FROM STDIN", columns));
    std::string text;
    for (const domain::Event& event : events) {
        const domain::Order& order = event.order;
        text += fmt::format(
            "{}\t{}\t{}\t{}\t{}\t{}\tnow\tredis\t\\{}\n",
            order.id.text(),
            shard,
            order.user.text(),
            order.item.text(),
            order.quantity,
            order.sequence,
            hex(*event.key)
        );
    }
    PQputCopyData(connection, text.data(), static_cast<int>(text.size()));
    PQputCopyEnd(connection, nullptr);
    while (PGresult* result = PQgetResult(connection)) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK) stop(PQerrorMessage(connection));
        PQclear(result);
    }
    run(connection,
        fmt::format(
            "INSERT INTO orders {} SELECT order_id, shard, user_id, item_id, quantity, sequence, "
            "accepted_at, durability, key FROM staging ON CONFLICT (order_id) DO NOTHING; ",
            columns
        ) + count_items(shard, events.size()));
}

/// One prepared INSERT an order, all of a batch sent before the first answer is read.
void pipelined(PGconn* connection, unsigned shard, const std::vector<domain::Event>& events) {
    run(connection, epoch_check(shard));
    PQenterPipelineMode(connection);
    for (const domain::Event& event : events) {
        const domain::Order& order = event.order;
        const std::string id = order.id.text();
        const std::string user{order.user.text()};
        const std::string item{order.item.text()};
        const std::string line = std::to_string(shard);
        const std::string sequence = std::to_string(order.sequence);
        const std::string key = hex(*event.key);
        const char* values[] = {
            id.c_str(),
            line.c_str(),
            user.c_str(),
            item.c_str(),
            "1",
            sequence.c_str(),
            "now",
            "redis",
            key.c_str()};
        PQsendQueryPrepared(connection, "one", 9, values, nullptr, nullptr, 0);
    }
    PQpipelineSync(connection);
    for (bool synced = false; !synced;) {
        PGresult* result = PQgetResult(connection);
        if (result == nullptr) continue;
        const auto status = PQresultStatus(result);
        if (status == PGRES_FATAL_ERROR) stop(PQerrorMessage(connection));
        synced = status == PGRES_PIPELINE_SYNC;
        PQclear(result);
    }
    PQexitPipelineMode(connection);
    run(connection, count_items(shard, events.size()));
}

void line(const Wanted& wanted, unsigned shard, std::atomic<std::int64_t>& left) {
    Line orders{shard};
    postgres::OrderSinkOptions options{.connection = {.url = wanted.url}, .shard = shard};
    options.events = wanted.way == "unnest+events";
    postgres::OrderSink sink{
        options,
        [] {
            return std::optional(ports::Epoch{1, "bench"});
        },
        [] { stop("epoch"); }};
    PGconn* connection = connected(wanted.url);
    run(connection, "CREATE TEMP TABLE staging (LIKE orders)");
    run(connection,
        "ALTER TABLE staging ALTER given_back DROP NOT NULL, ALTER status DROP NOT NULL");
    run(connection,
        fmt::format(
            "PREPARE one (uuid, smallint, text, text, int, bigint, timestamptz, text, bytea) AS "
            "INSERT INTO orders {} VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
            "ON CONFLICT (order_id) DO NOTHING",
            columns
        ));
    while (left.fetch_sub(static_cast<std::int64_t>(wanted.batch)) > 0) {
        const auto events = orders.next(wanted.batch);
        if (wanted.way == "copy") {
            copied(connection, shard, events);
        } else if (wanted.way == "pipeline") {
            pipelined(connection, shard, events);
        } else {
            const auto delivery = sink.deliver(events);
            if (delivery.failure) stop(delivery.failure->error);
        }
    }
    PQfinish(connection);
}

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

// usage: postgres_bench URL unnest|unnest+events|copy|pipeline ORDERS BATCH LINES
int main(int argc, char** argv) {
    if (argc != 6) stop("usage: postgres_bench URL WAY ORDERS BATCH LINES");
    const Wanted wanted{
        .url = argv[1],
        .way = argv[2],
        .orders = std::strtoull(argv[3], nullptr, 10),
        .batch = std::strtoull(argv[4], nullptr, 10),
        .lines = static_cast<unsigned>(std::strtoul(argv[5], nullptr, 10))};
    const auto ready = postgres::prepare_database({.url = wanted.url}, 8);
    if (!ready) stop(ready.error().text);
    PGconn* connection = connected(wanted.url);
    for (unsigned shard = 0; shard < wanted.lines; ++shard) {
        run(connection,
            fmt::format("INSERT INTO epochs VALUES ({}, 1, 'bench') ON CONFLICT DO NOTHING", shard)
        );
        run(connection,
            fmt::format(
                "INSERT INTO items (item_id, shard, initial, restocked, movement, as_of) "
                "VALUES ('item{}', {}, 1000000000, 0, 1, now()) ON CONFLICT DO NOTHING",
                shard,
                shard
            ));
    }
    std::atomic<std::int64_t> left{static_cast<std::int64_t>(wanted.orders)};
    const auto began = std::chrono::steady_clock::now();
    std::vector<std::thread> lines;
    for (unsigned shard = 0; shard < wanted.lines; ++shard) {
        lines.emplace_back([&, shard] { line(wanted, shard, left); });
    }
    for (std::thread& each : lines) each.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    std::printf(
        "%s: %.0f orders/s with %zu a commit in %u lines; %.1f s, own CPU %.1f s\n",
        wanted.way.c_str(),
        static_cast<double>(wanted.orders) / took.count(),
        wanted.batch,
        wanted.lines,
        took.count(),
        cpu_seconds()
    );
    PQfinish(connection);
}
