// src/adapters/postgres/connection.cpp - libpq without ever waiting past a deadline
#include "adapters/postgres/connection.hpp"

#include "adapters/postgres/session.hpp"
#include "base/assert.hpp"
#include "telemetry/log.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <poll.h>
#include <vector>

namespace firstcome::postgres {

namespace {

using std::chrono::milliseconds;

// What may go away by itself. 25006: a standby, which a failover may have left us with.
bool is_passing(std::string_view sqlstate) {
    constexpr std::array<std::string_view, 6> classes{"08", "40", "53", "55", "57", "58"};
    return sqlstate == "25006" || sqlstate == "25P02" ||
           std::ranges::find(classes, sqlstate.substr(0, 2)) != classes.end();
}

int milliseconds_left(base::MonotonicTime deadline) {
    const auto left = std::chrono::floor<milliseconds>(deadline - now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

}  // namespace

std::string_view name(SqlError error) {
    switch (error) {
        case SqlError::unavailable: return "unavailable";
        case SqlError::outcome_unknown: return "outcome_unknown";
        case SqlError::refused: return "refused";
    }
    FC_UNREACHABLE();
}

void Connection::Finish::operator()(pg_conn* connection) const {
    PQfinish(connection);
}

Connection::~Connection() = default;

void Connection::close() {
    statements_.clear();
    connection_.reset();
}

bool Connection::in_transaction() const {
    return in_transaction_;
}

Connection::Deadline Connection::within(milliseconds timeout) const {
    const Deadline deadline = now() + timeout;
    return end_by_ ? std::min(deadline, *end_by_) : deadline;
}

Result<void> Connection::open() {
    if (connection_ != nullptr) {
        // Nothing is owed to us: what comes now is the end of the session, or it is not worth
        // telling apart.
        pollfd socket{.fd = PQsocket(connection_.get()), .events = POLLIN, .revents = 0};
        if (in_transaction_ || ::poll(&socket, 1, 0) == 0) return {};
        close();
    }
    if (in_transaction_) return std::unexpected(SqlFailure{.text = std::string(lost)});
    return connect();
}

Result<Rows> Connection::read(std::string_view sql, std::initializer_list<Param> params) {
    return run(sql, {params.begin(), params.size()}, Loss::nothing);
}

Result<Rows> Connection::write(std::string_view sql, std::initializer_list<Param> params) {
    return run(sql, {params.begin(), params.size()}, Loss::unknown);
}

Result<Rows> Connection::write(std::string_view sql, std::span<const Param> params) {
    return run(sql, params, Loss::unknown);
}

Result<void> Connection::script(const std::string& sql, std::optional<milliseconds> at_most) {
    auto opened = open();
    if (!opened) return opened;
    const Deadline deadline = within(at_most.value_or(options_.call_timeout));
    auto done = simple(sql.c_str(), deadline, in_transaction_ ? Loss::nothing : Loss::unknown);
    if (!done) return std::unexpected(std::move(done.error()));
    return {};
}

Result<void> Connection::begin() {
    FC_ASSERT(!in_transaction_);
    auto opened = open();
    if (!opened) return opened;
    const Deadline deadline = within(options_.call_timeout);
    auto begun = simple("BEGIN ISOLATION LEVEL READ COMMITTED", deadline, Loss::nothing);
    if (!begun) return std::unexpected(std::move(begun.error()));
    in_transaction_ = true;
    return {};
}

Result<void> Connection::commit() {
    FC_ASSERT(in_transaction_);
    in_transaction_ = false;
    if (connection_ == nullptr) return std::unexpected(SqlFailure{.text = std::string(lost)});
    const Deadline deadline = within(options_.call_timeout);
    auto done = simple("COMMIT", deadline, Loss::unknown);
    if (!done) return std::unexpected(std::move(done.error()));
    // A transaction in which something failed is rolled back, and COMMIT says so as if all were
    // well.
    if (std::string_view(PQcmdStatus(done->result_.get())) == "COMMIT") return {};
    return std::unexpected(SqlFailure{.text = "the transaction had failed before its COMMIT"});
}

void Connection::rollback() {
    in_transaction_ = false;
    if (connection_ == nullptr) return;
    const Deadline deadline = within(options_.call_timeout);
    if (!simple("ROLLBACK", deadline, Loss::nothing)) close();
}

Result<Rows> Connection::run(
    std::string_view sql, std::span<const Param> params, Loss loss_outside
) {
    auto opened = open();
    if (!opened) return std::unexpected(std::move(opened.error()));
    const Deadline deadline = within(options_.call_timeout);
    auto statement = prepared(sql, params, deadline);
    if (!statement) return std::unexpected(std::move(statement.error()));
    std::vector<const char*> values;
    std::vector<int> sizes;
    for (const Param& param : params) {
        values.push_back(param.value());
        sizes.push_back(param.size());
    }
    const std::vector<int> formats(params.size(), 1);
    const Loss loss = in_transaction_ ? Loss::nothing : loss_outside;
    const int sent = PQsendQueryPrepared(
        connection_.get(),
        statement->c_str(),
        static_cast<int>(params.size()),
        values.data(),
        sizes.data(),
        formats.data(),
        1
    );
    if (sent != 1) return std::unexpected(broken(loss, lost));
    return answer(deadline, loss);
}

Result<std::string> Connection::prepared(
    std::string_view sql, std::span<const Param> params, Deadline deadline
) {
    std::string text{sql};
    const auto found = statements_.find(text);
    if (found != statements_.end()) return found->second;
    std::vector<Oid> types;
    for (const Param& param : params) types.push_back(param.type());
    std::string statement = "s" + std::to_string(statements_.size());
    const int count = static_cast<int>(types.size());
    if (PQsendPrepare(connection_.get(), statement.c_str(), text.c_str(), count, types.data()) !=
        1) {
        return std::unexpected(broken(Loss::nothing, lost));
    }
    auto made = answer(deadline, Loss::nothing);
    if (!made) return std::unexpected(std::move(made.error()));
    statements_.emplace(std::move(text), statement);
    return statement;
}

Result<Rows> Connection::simple(const char* sql, Deadline deadline, Loss loss) {
    if (PQsendQuery(connection_.get(), sql) != 1) return std::unexpected(broken(loss, lost));
    return answer(deadline, loss);
}

// Reads all that the statement gives; the first failure counts, else the last result.
Result<Rows> Connection::answer(Deadline deadline, Loss loss) {
    while (const int flushed = PQflush(connection_.get())) {
        if (flushed < 0) return std::unexpected(broken(loss, lost));
        if (const Wait waited = wait(true, deadline); waited != Wait::moved) {
            return std::unexpected(broken(loss, waited == Wait::late ? too_slow : lost));
        }
    }
    Rows last;
    std::optional<SqlFailure> failure;
    for (;;) {
        while (PQisBusy(connection_.get()) != 0) {
            if (const Wait waited = wait(false, deadline); waited != Wait::moved) {
                return std::unexpected(broken(loss, waited == Wait::late ? too_slow : lost));
            }
        }
        Rows rows{PQgetResult(connection_.get())};
        if (!rows.result_) break;
        const ExecStatusType status = PQresultStatus(rows.result_.get());
        const bool fine = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
        if (!fine && !failure) failure = failure_of(rows.result_.get(), loss);
        last = std::move(rows);
    }
    if (PQstatus(connection_.get()) == CONNECTION_BAD) close();
    if (failure) return std::unexpected(std::move(*failure));
    return last;
}

// While writing, what comes in is read too, or both sides could wait for each other.
Connection::Wait Connection::wait(bool for_writing, Deadline deadline) {
    const bool connected = PQstatus(connection_.get()) == CONNECTION_OK;
    const short reading = connected || !for_writing ? POLLIN : short{0};
    const short writing = for_writing ? POLLOUT : short{0};
    pollfd socket{
        .fd = PQsocket(connection_.get()),
        .events = static_cast<short>(reading | writing),
        .revents = 0};
    if (socket.fd < 0) return Wait::lost;
    int ready = -1;
    while (ready < 0) {
        ready = ::poll(&socket, 1, milliseconds_left(deadline));
        if (ready < 0 && errno != EINTR) return Wait::lost;
    }
    if (ready == 0) return Wait::late;
    const bool to_read = connected && (socket.revents & ~POLLOUT) != 0;
    if (to_read && PQconsumeInput(connection_.get()) == 0) {
        // The server's last words may have come before the end: then they are the answer.
        return PQisBusy(connection_.get()) != 0 ? Wait::lost : Wait::moved;
    }
    return Wait::moved;
}

SqlFailure Connection::broken(Loss loss, std::string_view what) {
    std::string text{what};
    if (PQstatus(connection_.get()) == CONNECTION_BAD) {
        text = trimmed(PQerrorMessage(connection_.get()));
    }
    log::warn("a session with PostgreSQL broke", {{"error", text}});
    close();
    return {
        .error = loss == Loss::unknown ? SqlError::outcome_unknown : SqlError::unavailable,
        .sqlstate = {},
        .text = std::move(text)};
}

SqlFailure Connection::failure_of(const pg_result* result, Loss loss) {
    const auto field = [result](int code) {
        const char* text = PQresultErrorField(result, code);
        return std::string(text == nullptr ? "" : text);
    };
    SqlFailure failure{
        .error = SqlError::refused,
        .sqlstate = field(PG_DIAG_SQLSTATE),
        .text = field(PG_DIAG_MESSAGE_PRIMARY)};
    if (failure.text.empty()) failure.text = trimmed(PQresultErrorMessage(result));
    // Only ERROR says that the statement was rolled back; FATAL says that the session is over.
    const bool rolled_back = field(PG_DIAG_SEVERITY_NONLOCALIZED) == "ERROR";
    if (!rolled_back) {
        failure.error = loss == Loss::unknown ? SqlError::outcome_unknown : SqlError::unavailable;
    } else if (is_passing(failure.sqlstate)) {
        failure.error = SqlError::unavailable;
    }
    return failure;
}

}  // namespace firstcome::postgres
