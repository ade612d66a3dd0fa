// src/http/backlog_json.cpp - what waits and what was refused, as the stats page shows it
#include "http/backlog_json.hpp"

#include "http/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <vector>

namespace firstcome::http {

namespace {

double seconds(std::chrono::milliseconds time) {
    return std::chrono::duration<double>(time).count();
}

void append_depth(std::string& out, std::uint64_t pending, std::chrono::milliseconds oldest) {
    fmt::format_to(
        std::back_inserter(out),
        R"("pending":{},"oldestAgeSeconds":{:.3f})",
        pending,
        seconds(oldest)
    );
}

void append_outbox(std::string& out, const std::vector<ports::WaitingLine>& lines) {
    std::uint64_t pending = 0;
    std::chrono::milliseconds oldest{};
    for (const ports::WaitingLine& line : lines) {
        pending += line.depth.pending;
        oldest = std::max(oldest, line.depth.oldest_age);
    }
    out += R"(,"outbox":{)";
    append_depth(out, pending, oldest);
    out += R"(,"lines":[)";
    const char* comma = "";
    for (const ports::WaitingLine& line : lines) {
        fmt::format_to(
            std::back_inserter(out), R"({}{{"stage":"{}","lane":{},)", comma, line.stage, line.lane
        );
        append_depth(out, line.depth.pending, line.depth.oldest_age);
        out += '}';
        comma = ",";
    }
    out += "]}";
}

void append_dead_letters(std::string& out, const ports::Backlog& backlog) {
    fmt::format_to(
        std::back_inserter(out),
        R"(,"dlq":{{"depth":{},"retrying":{},"dead":{},"oldestAgeSeconds":{:.3f},"byCause":{{)",
        backlog.retrying + backlog.dead,
        backlog.retrying,
        backlog.dead,
        seconds(backlog.oldest_age)
    );
    const char* comma = "";
    for (const ports::Cause cause : ports::causes) {
        const auto found = backlog.by_cause.find(cause);
        const std::uint64_t count = found == backlog.by_cause.end() ? 0 : found->second;
        fmt::format_to(std::back_inserter(out), R"({}"{}":{})", comma, name(cause), count);
        comma = ",";
    }
    out += "}}";
}

}  // namespace

void append_backlog(std::string& out, const App& app) {
    const ports::Backlog backlog = app.backlog ? app.backlog() : ports::Backlog{};
    append_outbox(out, backlog.waiting);
    append_dead_letters(out, backlog);
    out += R"(,"troubles":[)";
    const char* comma = "";
    for (const std::string& each : app.troubles ? app.troubles() : std::vector<std::string>{}) {
        out += comma;
        append_json_string(out, each);
        comma = ",";
    }
    out += ']';
}

}  // namespace firstcome::http
