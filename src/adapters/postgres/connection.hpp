// src/adapters/postgres/connection.hpp - one session with PostgreSQL: every call has a deadline
#pragma once

#include "adapters/postgres/param.hpp"
#include "adapters/postgres/rows.hpp"
#include "base/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

struct pg_conn;

namespace firstcome::postgres {

/// The caller's next move.
enum class SqlError : std::uint8_t {
    unavailable,      // nothing was written: not sent, rolled back, or only read. Try again later
    outcome_unknown,  // a COMMIT or a write of its own was sent and not answered: look before more
    refused,          // a constraint, a format, a right: trying again changes nothing
};
[[nodiscard]] std::string_view name(SqlError error);

struct SqlFailure {
    SqlError error = SqlError::unavailable;
    std::string sqlstate{};  ///< five characters; empty: the server did not say it
    std::string text{};      ///< the server's or libpq's words, never with the password
};

template <typename T>
using Result = std::expected<T, SqlFailure>;

struct ConnectionOptions {
    std::string url;                 ///< a libpq URL or "key=value ..."; TLS and password as there
    std::string name = "firstcome";  ///< application_name in pg_stat_activity
    std::chrono::milliseconds connect_timeout{3'000};
    std::chrono::milliseconds call_timeout{5'000};  ///< of one call, here and at the server
    std::chrono::milliseconds lock_timeout{2'000};  ///< for a lock somebody else holds
    /// The server ends a session that says nothing for so long: how a leader that stands still
    /// loses the lead. It then also looks every few seconds whether the other machine is there at
    /// all. Nothing: never, and as the server is configured.
    std::optional<std::chrono::milliseconds> idle_session_timeout{};
    /// A statement is planned once a session, whatever its parameters: for those asked often.
    bool plans_kept = true;
};

/// A session that is opened when first used and again after it broke. Every call ends by its
/// deadline: then the session is closed, and the server ends it at its statement_timeout.
///
/// Statements are prepared once per session, by their text. `$1` has the type of the parameter
/// given (param.hpp), so a cast such as `$1::jsonb` converts from it.
///
/// Errors   as in SqlError. A broken session: `read` and calls inside a transaction give
///          unavailable (the server rolls back); `write` outside one, and `commit`, give
///          outcome_unknown once they were sent
/// Thread   one at a time
class Connection {
public:
    explicit Connection(ConnectionOptions options) : options_(std::move(options)) {}

    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Opens the session if it is not open.
    [[nodiscard]] Result<void> open();

    /// One statement that changes nothing outside a transaction.
    [[nodiscard]] Result<Rows> read(std::string_view sql, std::initializer_list<Param> params = {});
    /// One statement that may write: by itself a transaction, unless one is open.
    [[nodiscard]] Result<Rows> write(
        std::string_view sql, std::initializer_list<Param> params = {}
    );
    [[nodiscard]] Result<Rows> write(std::string_view sql, std::span<const Param> params);
    /// Several statements without parameters, as one transaction unless one is open: migrations.
    /// Within `at_most`, else within the timeout of every call.
    [[nodiscard]] Result<void> script(
        const std::string& sql, std::optional<std::chrono::milliseconds> at_most = {}
    );

    /// READ COMMITTED. After any failure inside, only `rollback` makes sense.
    [[nodiscard]] Result<void> begin();
    [[nodiscard]] Result<void> commit();
    /// Never fails: a session that cannot roll back is closed, which does.
    void rollback();
    [[nodiscard]] bool in_transaction() const;

    /// From now on no call goes on beyond this moment, whatever its own timeout; nothing: again
    /// only that counts. For a job of many calls.
    void end_by(std::optional<base::MonotonicTime> end) { end_by_ = end; }

    /// Ends the session, and with it its transaction and its advisory locks.
    void close();

    /// Rises with each session opened: what was tied to the session before (locks) is gone.
    [[nodiscard]] std::uint64_t session() const { return session_; }

    [[nodiscard]] bool is_open() const { return connection_ != nullptr; }

    [[nodiscard]] const ConnectionOptions& options() const { return options_; }

private:
    using Deadline = base::MonotonicTime;

    struct Finish {
        void operator()(pg_conn* connection) const;
    };

    [[nodiscard]] Deadline within(std::chrono::milliseconds timeout) const;

    enum class Wait : std::uint8_t { moved, late, lost };

    enum class Loss : std::uint8_t { nothing, unknown };  // what a broken session means

    [[nodiscard]] Result<void> connect();
    [[nodiscard]] Result<void> wait_connected(Deadline deadline);
    [[nodiscard]] Result<Rows> run(
        std::string_view sql, std::span<const Param> params, Loss loss_outside
    );
    [[nodiscard]] Result<std::string> prepared(
        std::string_view sql, std::span<const Param> params, Deadline deadline
    );
    [[nodiscard]] Result<Rows> simple(const char* sql, Deadline deadline, Loss loss);
    [[nodiscard]] Result<Rows> answer(Deadline deadline, Loss loss);
    [[nodiscard]] Wait wait(bool for_writing, Deadline deadline);
    [[nodiscard]] SqlFailure broken(Loss loss, std::string_view what);
    [[nodiscard]] SqlFailure failure_of(const pg_result* result, Loss loss);

    ConnectionOptions options_;
    std::unique_ptr<pg_conn, Finish> connection_;
    std::unordered_map<std::string, std::string> statements_;  // text -> name
    std::uint64_t session_ = 0;
    std::optional<Deadline> end_by_;
    bool in_transaction_ = false;
    bool said_lost_ = false;  // said once in the log until it is back
};

/// Rolls back unless it was committed.
class Transaction {
public:
    [[nodiscard]] static Result<Transaction> begin(Connection& connection) {
        auto begun = connection.begin();
        if (!begun) return std::unexpected(std::move(begun.error()));
        return Transaction(connection);
    }

    ~Transaction() {
        if (connection_ != nullptr) connection_->rollback();
    }

    Transaction(Transaction&& other) noexcept
        : connection_(std::exchange(other.connection_, nullptr)) {}

    Transaction& operator=(Transaction&&) = delete;

    [[nodiscard]] Result<void> commit() { return std::exchange(connection_, nullptr)->commit(); }

private:
    explicit Transaction(Connection& connection) : connection_(&connection) {}

    Connection* connection_;  // outlives
};

}  // namespace firstcome::postgres
