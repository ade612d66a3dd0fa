// src/adapters/sqlite/database.cpp - a connection and its statements as values
#include "adapters/sqlite/database.hpp"

#include <sqlite3.h>

#include <cerrno>

namespace firstcome::sqlite {

namespace {

bool no_room(int system_error) {
    return system_error == ENOSPC || system_error == EFBIG || system_error == EDQUOT;
}

// SQLite gives one number for many causes; what the caller does next depends on these five only.
SqliteError::Kind kind_of(int extended, int system_error) {
    switch (extended) {
        case SQLITE_IOERR_FSYNC:
        case SQLITE_IOERR_DIR_FSYNC: return SqliteError::Kind::sync_failed;
        default: break;
    }
    switch (extended & 0xFF) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED: return SqliteError::Kind::busy;
        case SQLITE_FULL: return SqliteError::Kind::full;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB: return SqliteError::Kind::corrupt;
        case SQLITE_IOERR:
            return no_room(system_error) ? SqliteError::Kind::full : SqliteError::Kind::failed;
        default: return SqliteError::Kind::failed;
    }
}

SqliteError error_of(sqlite3* connection) {
    // SQLite does not keep the errno of a failed COMMIT; the failing call has left it here.
    const int last_errno = errno;
    const int extended = sqlite3_extended_errcode(connection);
    int system_error = sqlite3_system_errno(connection);
    if (system_error == 0 && (extended & 0xFF) == SQLITE_IOERR) system_error = last_errno;
    return {
        kind_of(extended, system_error),
        std::string(sqlite3_errmsg(connection)) + " (SQLite " + std::to_string(extended) +
            (system_error != 0 ? ", errno " + std::to_string(system_error) : "") + ")",
        extended};
}

}  // namespace

bool may_be_committed(const SqliteError& error) {
    switch (error.code) {
        case SQLITE_NOMEM:
        case SQLITE_IOERR_NOMEM:
        case SQLITE_IOERR_SHMOPEN:
        case SQLITE_IOERR_SHMSIZE:
        case SQLITE_IOERR_SHMLOCK:
        case SQLITE_IOERR_SHMMAP: return true;
        default: return false;
    }
}

bool needs_new_start(const SqliteError& error) {
    return error.kind == SqliteError::Kind::sync_failed || error.kind == SqliteError::Kind::corrupt;
}

std::string stop_message(const SqliteError& error, std::string_view attempted) {
    const std::string what = "could not " + std::string(attempted) + ": ";
    if (error.kind == SqliteError::Kind::corrupt) {
        return what + "the data is damaged (" + error.text +
               "). Nothing more is sold from it. Run `firstcome audit` on a copy and restore the"
               " newest backup";
    }
    return what + "the disk refused to sync (" + error.text +
           "). What it holds is unknown, so this process stops here; nobody was told \"accepted\""
           " for it. Check the disk, then start again: the start reads what is really there";
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
}

void Statement::bind(int at, std::int64_t value) {
    const int result = sqlite3_bind_int64(statement_.get(), at + 1, value);
    FC_ASSERT(result == SQLITE_OK);
}

void Statement::bind(int at, std::string_view text) {
    const int result = sqlite3_bind_text(
        statement_.get(), at + 1, text.data(), static_cast<int>(text.size()), SQLITE_STATIC
    );
    FC_ASSERT(result == SQLITE_OK);
}

void Statement::bind(int at, std::span<const std::byte> blob) {
    const int result = sqlite3_bind_blob(
        statement_.get(), at + 1, blob.data(), static_cast<int>(blob.size()), SQLITE_STATIC
    );
    FC_ASSERT(result == SQLITE_OK);
}

void Statement::bind(int at, std::optional<std::int64_t> value) {
    if (value) {
        bind(at, *value);
    } else {
        bind_null(at);
    }
}

void Statement::bind_null(int at) {
    const int result = sqlite3_bind_null(statement_.get(), at + 1);
    FC_ASSERT(result == SQLITE_OK);
}

std::expected<bool, SqliteError> Statement::step() {
    const int result = sqlite3_step(statement_.get());
    if (result == SQLITE_ROW) return true;
    if (result == SQLITE_DONE) {
        sqlite3_reset(statement_.get());
        return false;
    }
    const SqliteError error = error_of(sqlite3_db_handle(statement_.get()));
    sqlite3_reset(statement_.get());
    return std::unexpected(error);
}

std::expected<void, SqliteError> Statement::run() {
    auto row = step();
    if (!row) return std::unexpected(row.error());
    FC_ASSERT(!*row);
    return {};
}

void Statement::reset() {
    sqlite3_reset(statement_.get());
}

std::int64_t Statement::integer(int at) const {
    return sqlite3_column_int64(statement_.get(), at);
}

std::optional<std::int64_t> Statement::maybe_integer(int at) const {
    if (is_null(at)) return std::nullopt;
    return integer(at);
}

std::string_view Statement::text(int at) const {
    const auto* text = sqlite3_column_text(statement_.get(), at);
    if (text == nullptr) return {};
    return {
        reinterpret_cast<const char*>(text),
        static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), at))};
}

std::span<const std::byte> Statement::blob(int at) const {
    const auto* blob = static_cast<const std::byte*>(sqlite3_column_blob(statement_.get(), at));
    return {blob, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), at))};
}

bool Statement::is_null(int at) const {
    return sqlite3_column_type(statement_.get(), at) == SQLITE_NULL;
}

void Database::Close::operator()(sqlite3* connection) const {
    sqlite3_close_v2(connection);
}

std::expected<Database, SqliteError> Database::open(const std::string& path, Mode mode) {
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    switch (mode) {
        case Mode::create: flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE; break;
        case Mode::write: flags |= SQLITE_OPEN_READWRITE; break;
        case Mode::read: flags |= SQLITE_OPEN_READONLY; break;
    }
    sqlite3* raw = nullptr;
    const int result = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
    Database database{raw};
    if (result != SQLITE_OK) {
        if (raw == nullptr) return std::unexpected(SqliteError{.text = "out of memory"});
        return std::unexpected(error_of(raw));
    }
    sqlite3_busy_timeout(raw, 5'000);
    sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    return database;
}

std::expected<void, SqliteError> Database::execute(const std::string& sql) {
    const int result = sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (result != SQLITE_OK) return std::unexpected(error_of(connection_.get()));
    return {};
}

std::expected<Statement, SqliteError> Database::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    const int result = sqlite3_prepare_v3(
        connection_.get(),
        sql.data(),
        static_cast<int>(sql.size()),
        SQLITE_PREPARE_PERSISTENT,
        &statement,
        nullptr
    );
    if (result != SQLITE_OK) return std::unexpected(error_of(connection_.get()));
    return Statement{statement};
}

bool Database::in_transaction() const {
    return sqlite3_get_autocommit(connection_.get()) == 0;
}

std::expected<Database::Checkpointed, SqliteError> Database::checkpoint() {
    Checkpointed done;
    const int result = sqlite3_wal_checkpoint_v2(
        connection_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, &done.wal_pages, &done.moved_pages
    );
    if (result != SQLITE_OK && result != SQLITE_BUSY) {
        return std::unexpected(error_of(connection_.get()));
    }
    return done;
}

std::expected<void, SqliteError> Database::empty_log() {
    const int result = sqlite3_wal_checkpoint_v2(
        connection_.get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr
    );
    if (result != SQLITE_OK) return std::unexpected(error_of(connection_.get()));
    return {};
}

std::expected<void, SqliteError> Database::copy_to(
    Database& target, const std::function<void(int done, int pages)>& step
) {
    constexpr int pages_a_step = 2'560;  // 10 MiB
    sqlite3_backup* backup =
        sqlite3_backup_init(target.connection_.get(), "main", connection_.get(), "main");
    if (backup == nullptr) return std::unexpected(error_of(target.connection_.get()));
    int result = SQLITE_OK;
    while (result == SQLITE_OK) {
        result = sqlite3_backup_step(backup, pages_a_step);
        const int pages = sqlite3_backup_pagecount(backup);
        step(pages - sqlite3_backup_remaining(backup), pages);
    }
    // What went wrong on either side is left with the target.
    const int finished = sqlite3_backup_finish(backup);
    if (result == SQLITE_DONE && finished == SQLITE_OK) return {};
    return std::unexpected(error_of(target.connection_.get()));
}

void Database::on_commit(void (*hook)(void*, int), void* argument) {
    hook_ = std::make_unique<Hook>(Hook{hook, argument});
    sqlite3_wal_hook(
        connection_.get(),
        [](void* self, sqlite3*, const char*, int pages) {
            const auto* target = static_cast<const Hook*>(self);
            target->call(target->argument, pages);
            return SQLITE_OK;
        },
        hook_.get()
    );
}

}  // namespace firstcome::sqlite
