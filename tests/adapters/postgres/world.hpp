// tests/adapters/postgres/world.hpp - a database of one's own, with the tables and two nodes
#pragma once

#include "adapters/postgres/migrations.hpp"
#include "adapters/postgres/order_sink.hpp"
#include "adapters/postgres/record.hpp"
#include "tests/support/events.hpp"
#include "tests/support/servers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace firstcome::test {

inline postgres::ConnectionOptions connection_to(const std::string& url) {
    postgres::ConnectionOptions options;
    options.url = url;
    return options;
}

/// Writes the event as a dead letter of the consumer `orders`, retrying.
inline void park(postgres::Connection& connection, const domain::Event& event) {
    const domain::Order& order = event.order;
    const auto done = connection.write(
        "INSERT INTO failed_order_events (consumer, event_id, event_type, occurred_at, order_id, "
        "shard, user_id, item_id, quantity, sequence, accepted_at, order_status, durability, key, "
        "trace, remaining, total, cause, last_error, first_failure, last_failure, next_attempt, "
        "status) VALUES ('orders', $1, $2, $3, $1, $4, $5, $6, $7, $8, $3, 'processing', $9, $10, "
        "$11, 0, 0, 'invalid', 'refused', $3, $3, $3, 'retrying')",
        {event.id,
         name(event.type),
         order.accepted_at,
         order.id.shard(),
         order.user,
         order.item,
         order.quantity,
         order.sequence,
         name(order.durability),
         event.key,
         event.trace}
    );
    ASSERT_TRUE(done.has_value()) << done.error().text;
}

/// With the tables, copied from one that was migrated once.
inline std::string migrated_database() {
    PostgresServer& server = shared_postgres();
    static const std::string original = [&server] {
        std::string url = server.make_database();
        const auto ready = postgres::prepare_database(connection_to(url), 4);
        EXPECT_TRUE(ready.has_value()) << ready.error().text;
        return url;
    }();
    static int copies = 0;
    const std::size_t slash = original.rfind('/') + 1;
    const std::string name = "copy_" + std::to_string(++copies);
    server.psql(
        original.substr(0, slash) + "postgres",
        "CREATE DATABASE " + name + " TEMPLATE " + original.substr(slash)
    );
    return original.substr(0, slash) + name;
}

/// The one that tests share, emptied, and without the sessions of the test before: making a new
/// one costs ten times as much.
inline std::string emptied_database() {
    static const std::string shared = migrated_database();
    postgres::Connection connection{connection_to(shared)};
    const auto ended = connection.script(
        "DO $$ BEGIN LOOP "
        "PERFORM pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid(); "
        "EXIT WHEN NOT FOUND; PERFORM pg_stat_clear_snapshot(); END LOOP; END $$;"
        "TRUNCATE epochs, items, stock_movements, orders, failed_order_events, redrive_tasks, "
        "outbox, audit_log RESTART IDENTITY; DELETE FROM settings WHERE name <> 'shards'"
    );
    EXPECT_TRUE(ended.has_value()) << ended.error().text;
    return shared;
}

class PostgresWorld {
public:
    postgres::Record& record() { return record_; }

    postgres::Record& other() { return other_; }

    postgres::OrderSink& sink() { return sink_; }

    ManualClock& clock() { return clock_; }

    postgres::Connection& connection() { return connection_; }

    const std::string& url() const { return url_; }

    void park(const domain::Event& event) { test::park(connection_, event); }

    std::string psql(std::string_view sql) const { return shared_postgres().psql(url_, sql); }

    int told_not_ours = 0;

private:
    std::string url_ = emptied_database();
    ManualClock clock_;
    SeededEntropy entropy_;
    postgres::Connection connection_{connection_to(url_)};
    postgres::Record record_{
        {.connection = connection_to(url_), .orders_a_piece = 2}, clock_, entropy_};
    postgres::Record other_{{.connection = connection_to(url_)}, clock_, entropy_};
    postgres::OrderSink sink_{
        {.connection = connection_to(url_)},
        [this]() -> std::optional<ports::Epoch> { return record_.epoch(0).value(); },
        [this] { ++told_not_ours; }};
};

}  // namespace firstcome::test
