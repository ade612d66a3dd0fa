// src/adapters/postgres/migrations.cpp - numbered files, each applied once, all under one lock
#include "adapters/postgres/migrations.hpp"

#include "adapters/postgres/migrations.sql.hpp"
#include "telemetry/log.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <map>

namespace firstcome::postgres {

namespace {

using Started = std::expected<void, StartFailure>;

constexpr std::int64_t server_version_min = 140'000;
// Any number that no other program takes by chance: "firstcom" in ASCII.
constexpr std::int64_t migration_lock = 0x6669727374636F6D;
// An index over all orders takes minutes, and giving up would only begin it anew. The server stops
// counting at all: it ends when we are gone.
constexpr std::chrono::hours migration_timeout{1};

constexpr std::string_view create_schema_migrations = R"(
CREATE TABLE IF NOT EXISTS schema_migrations (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   bytea NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
))";

std::unexpected<StartFailure> stop(std::string text, bool passing = false) {
    return std::unexpected(StartFailure{.passing = passing, .text = std::move(text)});
}

// Ours or the server's, missing, of somebody else or for another name: libpq tells it by words
// alone.
bool is_about_a_certificate(const SqlFailure& failure) {
    return failure.sqlstate.empty() && failure.text.contains("certificate");
}

std::unexpected<StartFailure> explained(const SqlFailure& failure, std::string_view attempted) {
    const bool passing = failure.error != SqlError::refused && !is_about_a_certificate(failure);
    return stop(told(failure, attempted), passing);
}

Started check_server(Connection& connection) {
    auto rows = connection.read(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version'), "
        "pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on'"
    );
    if (!rows) return explained(rows.error(), "ask the server for its version");
    if (rows->integer(0, 0) < server_version_min) {
        return stop(fmt::format(
            "PostgreSQL {} is too old: Firstcome needs 14 or newer; upgrade the server of "
            "postgres.url or name another one",
            rows->text(0, 1)
        ));
    }
    if (rows->boolean(0, 2) || rows->boolean(0, 3)) {
        return stop(
            "PostgreSQL takes no writes here (a standby, or read-only): name the primary in "
            "postgres.url; with several hosts add target_session_attrs=read-write",
            true
        );
    }
    return {};
}

struct Applied {
    std::string name;
    bool checksum_fits = false;
};

int number_of(std::string_view file) {
    int number = 0;
    std::from_chars(file.data(), file.data() + file.size(), number);
    return number;
}

/// By number. Empty also where the table is not there yet.
Result<std::map<int, Applied>> applied(Connection& connection) {
    std::map<int, Applied> found;
    auto there = connection.read("SELECT to_regclass('schema_migrations') IS NOT NULL");
    if (!there) return std::unexpected(std::move(there.error()));
    if (!there->boolean(0, 0)) return found;
    std::vector<std::int64_t> numbers;
    std::vector<std::string_view> texts;
    for (const EmbeddedFile& file : embedded_migrations) {
        numbers.push_back(number_of(file.name));
        texts.push_back(file.text);
    }
    auto rows = connection.read(
        "SELECT number, name, coalesce(checksum = sha256(convert_to(text, 'UTF8')), true) "
        "FROM schema_migrations "
        "LEFT JOIN unnest($1, $2) AS ours (number, text) USING (number) ORDER BY number",
        {numbers, texts}
    );
    if (!rows) return std::unexpected(std::move(rows.error()));
    for (std::size_t row = 0; row < rows->size(); ++row) {
        found[static_cast<int>(rows->integer(row, 0))] = {
            .name = std::string(rows->text(row, 1)), .checksum_fits = rows->boolean(row, 2)};
    }
    return found;
}

Started apply(Connection& connection, const EmbeddedFile& file) {
    log::info("a migration begins", {{"name", file.name}});
    const std::string text = fmt::format("SET LOCAL statement_timeout = 0; {}", file.text);
    auto done = connection.script(text, migration_timeout);
    if (!done) return explained(done.error(), fmt::format("apply migration {}", file.name));
    auto noted = connection.write(
        "INSERT INTO schema_migrations (number, name, checksum) "
        "VALUES ($1, $2, sha256(convert_to($3, 'UTF8')))",
        {number_of(file.name), file.name, file.text}
    );
    if (!noted) return explained(noted.error(), "note a migration");
    return {};
}

Started compare(const std::map<int, Applied>& there) {
    for (const auto& [number, each] : there) {
        if (each.checksum_fits) continue;
        return stop(fmt::format(
            "PostgreSQL: migration {} was changed after it had been applied here: this database "
            "and this program do not belong together; name another database in postgres.url",
            each.name
        ));
    }
    return {};
}

// A transaction of its own: what an earlier one has locked is free while an index is built.
Started apply_unless_there(Connection& connection, const EmbeddedFile& file) {
    auto transaction = Transaction::begin(connection);
    if (!transaction) return explained(transaction.error(), "begin");
    auto locked = connection.write("SELECT pg_advisory_xact_lock($1)", {migration_lock});
    if (!locked) return explained(locked.error(), "wait for another node's migrations");
    auto created = connection.write(create_schema_migrations);
    if (!created) return explained(created.error(), "create tables");
    auto there = applied(connection);
    if (!there) return explained(there.error(), "read schema_migrations");
    if (auto fits = compare(*there); !fits) return fits;
    if (there->contains(number_of(file.name))) return {};
    if (auto done = apply(connection, file); !done) return done;
    auto committed = transaction->commit();
    if (!committed) return explained(committed.error(), "commit a migration");
    log::info("migration applied", {{"name", file.name}});
    return {};
}

Started migrate(Connection& connection) {
    auto there = applied(connection);
    if (!there) return explained(there.error(), "read schema_migrations");
    if (auto fits = compare(*there); !fits) return fits;
    for (const EmbeddedFile& file : embedded_migrations) {
        if (there->contains(number_of(file.name))) continue;
        if (auto done = apply_unless_there(connection, file); !done) return done;
    }
    return {};
}

Started check_rights(Connection& connection) {
    auto rows = connection.read(R"(
SELECT tables.name FROM unnest(ARRAY['settings', 'epochs', 'items', 'stock_movements', 'orders',
    'failed_order_events', 'redrive_tasks', 'outbox', 'audit_log']) AS tables (name)
WHERE NOT (has_table_privilege(tables.name, 'SELECT')
    AND has_table_privilege(tables.name, 'INSERT')
    AND has_table_privilege(tables.name, 'UPDATE')
    AND has_table_privilege(tables.name, 'DELETE'))
ORDER BY 1)");
    if (!rows) return explained(rows.error(), "look at the rights on the tables");
    if (rows->empty()) return {};
    return stop(fmt::format(
        "PostgreSQL: rights are missing on table {}{}: as its owner, GRANT SELECT, INSERT, UPDATE, "
        "DELETE ON ALL TABLES IN SCHEMA public TO the user of postgres.url",
        rows->text(0, 0),
        rows->size() > 1 ? fmt::format(" and {} more", rows->size() - 1) : std::string{}
    ));
}

Started agree_on_shards(Connection& connection, unsigned shards) {
    const std::string ours = std::to_string(shards);
    const auto bytes = std::as_bytes(std::span(ours.data(), ours.size()));
    auto made = connection.write(
        "INSERT INTO settings (name, value) VALUES ('shards', $1) ON CONFLICT DO NOTHING", {bytes}
    );
    if (!made) return explained(made.error(), "write settings");
    auto rows = connection.read("SELECT value FROM settings WHERE name = 'shards'");
    if (!rows) return explained(rows.error(), "read settings");
    const std::string theirs{rows->text(0, 0)};
    if (theirs == ours) return {};
    return stop(fmt::format(
        "lane.count is {} here, but this database was begun with {}: all nodes need the same, "
        "and it cannot change while there are orders; set lane.count = {}",
        ours,
        theirs,
        theirs
    ));
}

}  // namespace

// By what the server said.
std::string told(const SqlFailure& failure, std::string_view attempted) {
    std::string advice = "look at postgres.url and at the server's log";
    if (failure.sqlstate.starts_with("28")) {
        advice = "correct user and password in postgres.url, or pg_hba.conf at the server";
    } else if (failure.sqlstate == "3D000") {
        advice = "create the database (CREATE DATABASE ...) or correct its name in postgres.url";
    } else if (failure.sqlstate == "42501") {
        advice =
            "as the owner of the database: GRANT CREATE, USAGE ON SCHEMA public TO the user of "
            "postgres.url, and SELECT, INSERT, UPDATE, DELETE on the tables there";
    } else if (is_about_a_certificate(failure)) {
        advice =
            "name the file of the authority that signed it in postgres.url (sslrootcert=), and the "
            "host there as the certificate has it";
    } else if (failure.error == SqlError::unavailable) {
        advice = "start the server, or correct host and port in postgres.url";
    }
    std::string said = failure.text;  // of libpq, sometimes in several lines
    std::ranges::replace_if(
        said, [](char c) { return c == '\n' || c == '\t'; }, ' '
    );
    return fmt::format("PostgreSQL: cannot {}: {}; {}", attempted, said, advice);
}

std::expected<void, StartFailure> prepare_database(
    const ConnectionOptions& options, unsigned shards
) {
    ConnectionOptions patient = options;
    patient.call_timeout = std::chrono::minutes{1};
    patient.lock_timeout = patient.call_timeout;
    patient.idle_session_timeout.reset();
    Connection connection{patient};
    if (auto opened = connection.open(); !opened) return explained(opened.error(), "connect");
    if (auto fine = check_server(connection); !fine) return fine;
    if (auto done = migrate(connection); !done) return done;
    if (auto fine = check_rights(connection); !fine) return fine;
    return agree_on_shards(connection, shards);
}

}  // namespace firstcome::postgres
