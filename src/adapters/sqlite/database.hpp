// src/adapters/sqlite/database.hpp - a connection and its statements as values
#pragma once

#include "base/assert.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace firstcome::sqlite {

/// What SQLite said. `kind` is the caller's next move.
struct SqliteError {
    enum class Kind : std::uint8_t {
        busy,         // somebody else holds the file: try again
        full,         // no room on the disk: nothing was written
        failed,       // nothing was written: try again later
        sync_failed,  // it is unknown what the disk holds: stop the process
        corrupt,      // the file is damaged: stop, and tell the operator
    };
    Kind kind = Kind::failed;
    std::string text;
    int code = 0;  ///< SQLite's extended result code
};

/// Of a failed COMMIT: the log may hold it already, since its index in shared memory is written
/// after the log was synced.
[[nodiscard]] bool may_be_committed(const SqliteError& error);

/// Only a new start, which reads the file again, may go on after this.
[[nodiscard]] bool needs_new_start(const SqliteError& error);

/// What the operator is told then.
[[nodiscard]] std::string stop_message(const SqliteError& error, std::string_view attempted);

/// A prepared statement. Bind, step, read, reset; columns and parameters count from 0.
///
/// Thread   the connection's
class Statement {
public:
    void bind(int at, std::int64_t value);
    void bind(int at, std::string_view text);            ///< must live until the next reset
    void bind(int at, std::span<const std::byte> blob);  ///< must live until the next reset
    void bind(int at, std::optional<std::int64_t> value);
    void bind_null(int at);

    /// True: a row is there. False: done, and the statement is reset.
    [[nodiscard]] std::expected<bool, SqliteError> step();
    /// For statements without rows.
    [[nodiscard]] std::expected<void, SqliteError> run();
    void reset();

    [[nodiscard]] std::int64_t integer(int at) const;
    [[nodiscard]] std::optional<std::int64_t> maybe_integer(int at) const;
    [[nodiscard]] std::string_view text(int at) const;  ///< good until the next step or reset
    [[nodiscard]] std::span<const std::byte> blob(int at) const;
    [[nodiscard]] bool is_null(int at) const;

private:
    friend class Database;

    struct Finalize {
        void operator()(sqlite3_stmt* statement) const;
    };

    explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// One connection to one file.
///
/// Thread   one at a time
/// Source   ADR-0004; SQLite "synchronous=FULL", "WAL mode"
class Database {
public:
    enum class Mode : std::uint8_t { create, write, read };

    [[nodiscard]] static std::expected<Database, SqliteError> open(
        const std::string& path, Mode mode
    );

    [[nodiscard]] std::expected<void, SqliteError> execute(const std::string& sql);
    [[nodiscard]] std::expected<Statement, SqliteError> prepare(std::string_view sql);

    /// False: no transaction is open (any more).
    [[nodiscard]] bool in_transaction() const;

    struct Checkpointed {
        int wal_pages = 0;    ///< in the log
        int moved_pages = 0;  ///< of them already in the main file
    };

    /// Moves what it can from the log to the main file without making anybody wait.
    [[nodiscard]] std::expected<Checkpointed, SqliteError> checkpoint();

    /// Moves all of the log and leaves it empty; `busy` when somebody still reads from it. Closing
    /// never does this by itself: whether a log was left behind must be our decision.
    [[nodiscard]] std::expected<void, SqliteError> empty_log();

    /// Copies all of it into `target`, which must be empty, in steps; `step` is told after each how
    /// many of how many pages are done. Within a read transaction the copy is of its moment.
    ///
    /// Source   SQLite "Online Backup API"
    [[nodiscard]] std::expected<void, SqliteError> copy_to(
        Database& target, const std::function<void(int done, int pages)>& step
    );

    /// Calls `hook(argument, pages)` after each commit with the length of the log.
    void on_commit(void (*hook)(void*, int), void* argument);

private:
    struct Close {
        void operator()(sqlite3* connection) const;
    };

    struct Hook {
        void (*call)(void*, int) = nullptr;
        void* argument = nullptr;
    };

    explicit Database(sqlite3* connection) : connection_(connection) {}

    std::unique_ptr<sqlite3, Close> connection_;
    std::unique_ptr<Hook> hook_;
};

}  // namespace firstcome::sqlite
