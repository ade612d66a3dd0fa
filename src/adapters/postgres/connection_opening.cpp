// src/adapters/postgres/connection_opening.cpp - from a URL to a session with its settings
#include "adapters/postgres/connection.hpp"
#include "adapters/postgres/session.hpp"
#include "base/assert.hpp"
#include "telemetry/log.hpp"

#include <fmt/core.h>
#include <libpq-fe.h>

#include <algorithm>
#include <array>

namespace firstcome::postgres {

namespace {

using std::chrono::milliseconds;

// libpq tells the SQLSTATE of a refused connection only inside the verbose text: after "FATAL:  ".
std::string sqlstate_in(std::string_view text) {
    const std::size_t at = text.find(":  ");
    if (at == std::string_view::npos || text.size() < at + 9 || text[at + 8] != ':') return {};
    const std::string_view code = text.substr(at + 3, 5);
    const auto allowed = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); };
    return std::ranges::all_of(code, allowed) ? std::string(code) : std::string{};
}

// Without the code and the line that names the place in the server's source.
std::string without_code(std::string_view text, std::string_view code) {
    std::string plain{text.substr(0, text.find("\nLOCATION:"))};
    if (code.empty()) return trimmed(plain);
    const std::size_t at = plain.find(std::string(code) + ": ");
    if (at != std::string::npos) plain.erase(at, code.size() + 2);
    return trimmed(plain);
}

bool can_be_read(const std::string& url) {
    PQconninfoOption* options = PQconninfoParse(url.c_str(), nullptr);
    const bool fine = options != nullptr;
    PQconninfoFree(options);
    return fine;
}

// The server gives up before we do, so that we hear how it ended.
milliseconds server_timeout(milliseconds call_timeout) {
    return std::max(milliseconds{1}, call_timeout - call_timeout / 10);
}

// A machine that is gone answers no keepalive: known after about five seconds.
constexpr std::string_view watched =
    "; SET tcp_keepalives_idle = 2; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 3; "
    "SET tcp_user_timeout = 5000";

std::string session_settings(const ConnectionOptions& options) {
    return fmt::format(
        "SET statement_timeout = {}; SET lock_timeout = {}; "
        "SET idle_in_transaction_session_timeout = {}; SET idle_session_timeout = {}; "
        "SET synchronous_commit = on; SET TimeZone = 'UTC'; SET client_min_messages = error; "
        "SET plan_cache_mode = {}{}",
        server_timeout(options.call_timeout).count(),
        std::min(server_timeout(options.call_timeout), options.lock_timeout).count(),
        (2 * options.call_timeout).count(),
        options.idle_session_timeout.value_or(milliseconds{0}).count(),
        options.plans_kept ? "force_generic_plan" : "auto",
        options.idle_session_timeout ? watched : ""
    );
}

}  // namespace

// The URL comes last: what it says of these wins.
Result<void> Connection::connect() {
    if (!can_be_read(options_.url)) {
        return std::unexpected(SqlFailure{
            .error = SqlError::refused,
            .sqlstate = {},
            .text = "the connection string is not one of PostgreSQL's"});
    }
    const std::string user_timeout = std::to_string(options_.call_timeout.count());
    const std::array keys{
        "application_name",
        "client_encoding",
        "keepalives_idle",
        "keepalives_interval",
        "keepalives_count",
        "tcp_user_timeout",
        "dbname",
        static_cast<const char*>(nullptr)};
    const std::array values{
        options_.name.c_str(),
        "UTF8",
        "5",
        "2",
        "3",
        user_timeout.c_str(),
        options_.url.c_str(),
        static_cast<const char*>(nullptr)};
    connection_.reset(PQconnectStartParams(keys.data(), values.data(), 1));
    FC_ASSERT(connection_ != nullptr);
    PQsetErrorVerbosity(connection_.get(), PQERRORS_VERBOSE);
    const Deadline deadline = within(options_.connect_timeout);
    auto connected = wait_connected(deadline);
    if (!connected) {
        connection_.reset();
        if (!std::exchange(said_lost_, true)) {
            log::warn("PostgreSQL cannot be reached", {{"error", connected.error().text}});
        }
        return connected;
    }
    if (std::exchange(said_lost_, false)) log::info("PostgreSQL is reached again");
    PQsetErrorVerbosity(connection_.get(), PQERRORS_DEFAULT);
    PQsetnonblocking(connection_.get(), 1);
    ++session_;
    auto set = simple(session_settings(options_).c_str(), deadline, Loss::nothing);
    if (set) return {};
    close();
    return std::unexpected(std::move(set.error()));
}

Result<void> Connection::wait_connected(Deadline deadline) {
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (PQstatus(connection_.get()) != CONNECTION_BAD) {
        if (next == PGRES_POLLING_OK) return {};
        if (next == PGRES_POLLING_FAILED) break;
        const Wait waited = wait(next == PGRES_POLLING_WRITING, deadline);
        if (waited == Wait::late) {
            return std::unexpected(SqlFailure{.text = std::string(too_slow)});
        }
        next = PQconnectPoll(connection_.get());
    }
    const std::string text = PQerrorMessage(connection_.get());
    std::string code = sqlstate_in(text);
    if (code.empty() && PQconnectionNeedsPassword(connection_.get()) != 0) code = "28P01";
    const bool refused = code.starts_with("28") || code.starts_with("3D");
    return std::unexpected(SqlFailure{
        .error = refused ? SqlError::refused : SqlError::unavailable,
        .sqlstate = code,
        .text = without_code(text, code)});
}

}  // namespace firstcome::postgres
