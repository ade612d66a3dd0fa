// src/http/figures.cpp - what the engine counts: per io thread without locks, merged by the reader
#include "http/figures.hpp"

#include <algorithm>

namespace firstcome::http {
namespace {

std::size_t column_of(unsigned status) {
    const auto found = std::find(counted_statuses.begin(), counted_statuses.end() - 1, status);
    return static_cast<std::size_t>(found - counted_statuses.begin());
}

std::size_t bucket_of(std::chrono::nanoseconds duration) {
    const auto found = std::lower_bound(duration_bounds.begin(), duration_bounds.end(), duration);
    return static_cast<std::size_t>(found - duration_bounds.begin());
}

}  // namespace

ThreadFigures::ThreadFigures(std::size_t routes) : rows_(routes + 1) {}

void ThreadFigures::count_request(
    std::size_t route, unsigned status, std::chrono::nanoseconds duration
) {
    FC_ASSERT(route < rows_.size());
    Row& row = rows_[route][column_of(status)];
    row.count.add();
    row.duration_ns.add(static_cast<std::uint64_t>(std::max(duration.count(), std::int64_t{0})));
    row.buckets[bucket_of(duration)].add();
}

void ThreadFigures::add_to(ServerFigures& sum) const {
    sum.connections_open += connections_open.value();
    sum.connections_accepted += connections_accepted.value();
    sum.connections_refused += connections_refused.value();
    sum.connections_displaced += connections_displaced.value();
    sum.accept_pauses += accept_pauses.value();
    sum.malformed_requests += malformed_requests.value();
    sum.deadline_closes += deadline_closes.value();
    sum.reply_timeouts += reply_timeouts.value();
    sum.stale_answers += stale_answers.value();
    sum.bytes_read += bytes_read.value();
    sum.bytes_written += bytes_written.value();
    for (std::size_t route = 0; route < rows_.size(); ++route) {
        for (std::size_t column = 0; column < counted_statuses.size(); ++column) {
            const Row& row = rows_[route][column];
            if (row.count.value() == 0) continue;
            const unsigned status = counted_statuses[column];
            const auto same = [&](const RequestFigures& have) {
                return have.route == route && have.status == status;
            };
            auto found = std::find_if(sum.requests.begin(), sum.requests.end(), same);
            if (found == sum.requests.end()) {
                found = sum.requests.insert(found, {.route = route, .status = status});
            }
            found->count += row.count.value();
            found->duration_sum += std::chrono::nanoseconds{row.duration_ns.value()};
            for (std::size_t i = 0; i < row.buckets.size(); ++i) {
                found->buckets[i] += row.buckets[i].value();
            }
        }
    }
}

}  // namespace firstcome::http
