// src/cli/bench_engine.cpp - connections, the epoll loop, and when the next call starts
#include "cli/bench_engine.hpp"

#include "base/assert.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <limits>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace firstcome::cli {

namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr std::size_t buffer_start = 8 * 1024;
constexpr std::size_t buffer_max = 8 * 1024 * 1024;
constexpr nanoseconds reopen_after = 20ms;
constexpr nanoseconds drain_after_interrupt = 2s;
constexpr nanoseconds look_up_every = 100ms;
constexpr nanoseconds forever = 87'600h;  // ten years: sums with it do not overflow
constexpr nanoseconds late_sends = 1s;
constexpr unsigned open_failures_max = 3;

// 20 ms, doubling to 640 ms: a server that comes back is found quickly, one that is busy is left
// some air.
nanoseconds pause_before(unsigned attempt) {
    return 20ms * (1U << std::min(attempt, 5U));
}

std::string reason(int error) {
    return std::generic_category().message(error);
}

timespec timespec_of(nanoseconds wait) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(wait);
    return {.tv_sec = seconds.count(), .tv_nsec = (wait - seconds).count()};
}

}  // namespace

Engine::Engine(const EngineShare& share, EngineParts parts)
    : share_(share), parts_(parts), connections_(share.connections), closed_(share.connections) {
    for (Connection& connection : connections_) connection.calls.resize(share.pipeline);
}

Engine::~Engine() {
    for (Connection& connection : connections_) close(connection);
    if (epoll_ >= 0) ::close(epoll_);
}

void Engine::run(base::MonotonicTime start) {
    start_ = start;
    last_answer_ = start;
    stop_ = start + (share_.duration.count() > 0 ? share_.duration : forever);
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) return parts_.witness.connection_error("epoll: " + reason(errno));
    // The kernel may be 50 us late by default: too coarse for an open loop.
    ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    base::MonotonicTime now = parts_.clock.monotonic();
    for (; !finished(now); now = parts_.clock.monotonic()) {
        open_due(now);
        start_idle(now);
        wait(now);
    }
    abandon_rest();
    parts_.recorder.flush();
}

bool Engine::no_more(base::MonotonicTime now) const {
    if (share_.orders > 0 && issued_ >= share_.orders) return true;
    // What was due before the end is still sent after it, for a while: leaving it out would hide
    // the longest waits.
    if (share_.rate > 0) return next_start() >= stop_ || now >= stop_ + late_sends;
    return now >= stop_;
}

bool Engine::finished(base::MonotonicTime now) {
    if (parts_.interrupted.load(std::memory_order_relaxed) && now < stop_) stop_ = now;
    if (dead_ == connections_.size()) return true;
    if (no_more(now) && in_flight_ == 0 && retries_.empty()) return true;
    if (parts_.interrupted.load(std::memory_order_relaxed) &&
        now >= stop_ + drain_after_interrupt) {
        return true;
    }
    if (now < last_answer_ + share_.patience) return false;
    if (in_flight_ == 0 && retries_.empty() && !idle_.empty()) return false;
    parts_.witness.connection_error(fmt::format("no answer for {} s", share_.patience / 1s));
    return true;
}

// -- when the next call starts --

base::MonotonicTime Engine::next_start() const {
    if (share_.rate <= 0) return base::MonotonicTime::min();
    const double seconds = static_cast<double>(issued_) / share_.rate;
    return start_ + nanoseconds{static_cast<std::int64_t>(seconds * 1e9)};
}

std::optional<Wish> Engine::next_wish(base::MonotonicTime now) {
    if (!retries_.empty() && retries_.front().due <= now) {
        const Wish wish = retries_.front().wish;
        retries_.pop_front();
        return wish;
    }
    // Those who wait to ask again still count as customers of a connection each: nobody new comes
    // in their place, so what is waiting stays bounded.
    const std::size_t places = std::size_t{share_.connections} * share_.pipeline;
    if (no_more(now) || retries_.size() + in_flight_ >= places) return std::nullopt;
    const base::MonotonicTime due = next_start();
    if (due > now || due >= stop_) return std::nullopt;
    Wish wish = parts_.wishes.next(share_.batch);
    wish.intended = share_.rate > 0 ? due : now;
    issued_ += share_.batch;
    return wish;
}

nanoseconds Engine::time_to_wait(base::MonotonicTime now) const {
    base::MonotonicTime next = now + look_up_every;
    if (!idle_.empty()) {
        if (!retries_.empty()) next = std::min(next, retries_.front().due);
        if (share_.rate > 0 && !no_more(now)) next = std::min(next, next_start());
    }
    if (closed_ > 0) {
        for (const Connection& connection : connections_) {
            if (connection.state != Connection::State::closed) continue;
            next = std::min(next, connection.open_at);
        }
    }
    return std::max(next - now, nanoseconds{0});
}

void Engine::start_idle(base::MonotonicTime now) {
    for (std::size_t left = idle_.size(); left > 0; --left) {
        Connection& connection = connections_[idle_.front()];
        if (connection.state == Connection::State::open) {
            const bool nothing_due = (retries_.empty() || retries_.front().due > now) &&
                                     (no_more(now) || next_start() > now);
            if (nothing_due) return;
        }
        idle_.pop_front();
        connection.listed_idle = false;
        if (connection.state == Connection::State::open) fill(connection, now);
    }
}

void Engine::fill(Connection& connection, base::MonotonicTime now) {
    while (connection.calls_count < share_.pipeline) {
        const std::optional<Wish> wish = next_wish(now);
        if (!wish) break;
        parts_.templates.append(connection.out, wish->kind, wish->serial);
        const std::size_t at = (connection.calls_first + connection.calls_count) % share_.pipeline;
        connection.calls[at] = {.wish = *wish, .sent = now};
        ++connection.calls_count;
        ++in_flight_;
    }
    if (connection.calls_count < share_.pipeline && !connection.listed_idle) {
        connection.listed_idle = true;
        idle_.push_back(static_cast<std::uint32_t>(&connection - connections_.data()));
    }
    flush(connection, now);
}

// -- connections --

void Engine::move(Connection& connection, Connection::State state) {
    using State = Connection::State;
    closed_ -= connection.state == State::closed ? 1 : 0;
    closed_ += state == State::closed ? 1 : 0;
    dead_ += state == State::dead ? 1 : 0;
    connection.state = state;
}

void Engine::open_due(base::MonotonicTime now) {
    if (closed_ == 0) return;
    for (Connection& connection : connections_) {
        if (connection.state != Connection::State::closed || connection.open_at > now) continue;
        open(connection, now);
    }
}

void Engine::open(Connection& connection, base::MonotonicTime now) {
    const int family = parts_.endpoint.address.ss_family;
    connection.socket = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection.socket < 0) return open_failed(connection, now, errno);
    const int on = 1;
    ::setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const auto* address = reinterpret_cast<const sockaddr*>(&parts_.endpoint.address);
    const int result = ::connect(connection.socket, address, parts_.endpoint.size);
    if (result != 0 && errno != EINPROGRESS) return open_failed(connection, now, errno);
    epoll_event event{.events = EPOLLIN | EPOLLOUT, .data = {.ptr = &connection}};
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket, &event);
    connection.waits_to_write = true;
    move(connection, Connection::State::connecting);
    if (result == 0) opened(connection, now);
}

void Engine::opened(Connection& connection, base::MonotonicTime now) {
    move(connection, Connection::State::open);
    connection.failures = 0;
    if (connection.in.empty()) connection.in.resize(buffer_start);
    fill(connection, now);
}

void Engine::open_failed(Connection& connection, base::MonotonicTime now, int error) {
    close(connection);
    connection.open_at = now + reopen_after;
    if (share_.ride_out) return;
    parts_.witness.connection_error(
        fmt::format("cannot connect to {}: {}", parts_.endpoint.name, reason(error))
    );
    if (++connection.failures < open_failures_max) return;
    move(connection, Connection::State::dead);
}

void Engine::lose(Connection& connection, base::MonotonicTime now, std::string_view why) {
    if (connection.calls_count > 0) {
        parts_.witness.connection_error(
            fmt::format("{} with {} calls in flight", why, connection.calls_count)
        );
    }
    close(connection);
    connection.open_at = share_.ride_out ? now + reopen_after : now;
    for (; connection.calls_count > 0; --connection.calls_count) {
        const Call call = connection.calls[connection.calls_first];
        connection.calls_first = (connection.calls_first + 1) % share_.pipeline;
        --in_flight_;
        unanswered(call);
        if (share_.ride_out) ask_again(call.wish, now);
    }
}

void Engine::close(Connection& connection) {
    if (connection.socket >= 0) ::close(connection.socket);
    connection.socket = -1;
    move(connection, Connection::State::closed);
    connection.in_begin = connection.in_end = 0;
    connection.out.clear();
    connection.out_sent = 0;
}

void Engine::watch(Connection& connection, bool write) {
    if (connection.waits_to_write == write) return;
    connection.waits_to_write = write;
    const std::uint32_t events = write ? EPOLLIN | EPOLLOUT : EPOLLIN;
    epoll_event event{.events = events, .data = {.ptr = &connection}};
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.socket, &event);
}

void Engine::flush(Connection& connection, base::MonotonicTime now) {
    while (connection.out_sent < connection.out.size()) {
        const ssize_t sent = ::send(
            connection.socket,
            connection.out.data() + connection.out_sent,
            connection.out.size() - connection.out_sent,
            MSG_NOSIGNAL
        );
        if (sent < 0 && errno == EAGAIN) return watch(connection, true);
        if (sent < 0) return lose(connection, now, reason(errno));
        connection.out_sent += static_cast<std::size_t>(sent);
    }
    connection.out.clear();
    connection.out_sent = 0;
    watch(connection, false);
}

// -- answers --

void Engine::wait(base::MonotonicTime now) {
    std::array<epoll_event, 256> events;
    const timespec timeout = timespec_of(time_to_wait(now));
    const int count =
        ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
    for (int at = 0; at < count; ++at) {
        const epoll_event& event = events[static_cast<std::size_t>(at)];
        on_event(*static_cast<Connection*>(event.data.ptr), event.events);
    }
}

void Engine::on_event(Connection& connection, std::uint32_t events) {
    if (connection.state == Connection::State::connecting) {
        const base::MonotonicTime now = parts_.clock.monotonic();
        int error = 0;
        socklen_t size = sizeof(error);
        ::getsockopt(connection.socket, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) return open_failed(connection, now, error);
        return opened(connection, now);
    }
    if (connection.state != Connection::State::open) return;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) return read(connection);
    if ((events & EPOLLOUT) != 0) flush(connection, parts_.clock.monotonic());
}

void Engine::read(Connection& connection) {
    if (connection.in_end == connection.in.size()) {
        if (connection.in.size() >= buffer_max) {
            return lose(connection, parts_.clock.monotonic(), "an answer above 8 MiB");
        }
        connection.in.resize(connection.in.size() * 2);
    }
    const ssize_t got = ::recv(
        connection.socket,
        connection.in.data() + connection.in_end,
        connection.in.size() - connection.in_end,
        0
    );
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    const base::MonotonicTime now = parts_.clock.monotonic();
    if (got < 0) return lose(connection, now, reason(errno));
    if (got == 0) return lose(connection, now, "the server closed the connection");
    connection.in_end += static_cast<std::size_t>(got);
    if (take_answers(connection, now)) fill(connection, now);
}

bool Engine::take_answers(Connection& connection, base::MonotonicTime now) {
    while (connection.in_begin < connection.in_end) {
        const std::string_view unread{
            connection.in.data() + connection.in_begin, connection.in_end - connection.in_begin};
        const auto answer = answer_at_front(unread);
        if (!answer) {
            lose(connection, now, "an answer that is not HTTP/1.1 with a Content-Length");
            return false;
        }
        if (!*answer) break;
        if (connection.calls_count == 0) {
            lose(connection, now, "an answer nobody asked for");
            return false;
        }
        const Call call = connection.calls[connection.calls_first];
        connection.calls_first = (connection.calls_first + 1) % share_.pipeline;
        --connection.calls_count;
        --in_flight_;
        complete(call, **answer, now);
        connection.in_begin += (*answer)->size;
        if ((*answer)->closes) {
            lose(connection, now, "the server said Connection: close");
            return false;
        }
    }
    if (connection.in_begin > 0) {
        const std::size_t rest = connection.in_end - connection.in_begin;
        std::memmove(connection.in.data(), connection.in.data() + connection.in_begin, rest);
        connection.in_begin = 0;
        connection.in_end = rest;
    }
    return true;
}

void Engine::complete(const Call& call, const Answer& answer, base::MonotonicTime now) {
    Witness& witness = parts_.witness;
    last_answer_ = now;
    witness.live.calls.store(
        witness.live.calls.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed
    );
    Histogram& histogram = answer.status == 202 || answer.status == 200 ? witness.accepted_latency
                                                                        : witness.other_latency;
    if (call.wish.intended - start_ >= share_.warm_up) histogram.record(now - call.wish.intended);
    if (share_.batch > 1) return complete_batch(call, answer, now);
    const OrderAnswer order = order_answer(answer);
    settle(call, order, now);
    if (share_.ride_out && !order.definite()) {
        ask_again(call.wish, now + pause_before(call.wish.attempts));
    }
}

void Engine::complete_batch(const Call& call, const Answer& answer, base::MonotonicTime now) {
    const OrderAnswer whole = order_answer(answer);
    if (answer.status == 200) json_elements(answer.body, elements_);
    const bool each = answer.status == 200 && elements_.size() == share_.batch;
    if (answer.status == 200 && !each) {
        parts_.witness.broken.add(fmt::format(
            "a batch of {} orders was answered with {} outcomes", share_.batch, elements_.size()
        ));
    }
    Call one = call;
    for (unsigned order = 0; order < share_.batch; ++order, ++one.wish.serial) {
        settle(one, each ? order_answer(elements_[order]) : whole, now);
    }
    if (share_.ride_out && answer.status != 200 && !whole.definite()) {
        ask_again(call.wish, now + pause_before(call.wish.attempts));
    }
}

void Engine::settle(const Call& call, const OrderAnswer& answer, base::MonotonicTime now) {
    RecentOrders* recent = parts_.wishes.mixed() ? &parts_.wishes.recent() : nullptr;
    parts_.witness.answered(call.wish, answer, {.sent = call.sent, .received = now}, recent);
    if (parts_.recorder.on()) parts_.recorder.answered(sent_line(call), answer, now - call.sent);
}

Recorder::Sent Engine::sent_line(const Call& call) const {
    return {.kind = call.wish.kind, .serial = call.wish.serial, .sent = call.sent - start_};
}

void Engine::ask_again(Wish wish, base::MonotonicTime due) {
    ++wish.attempts;
    ++parts_.witness.retries;
    const auto later = std::upper_bound(
        retries_.begin(),
        retries_.end(),
        due,
        [](base::MonotonicTime time, const Retry& retry) { return time < retry.due; }
    );
    retries_.insert(later, {.due = due, .wish = wish});
}

void Engine::unanswered(const Call& call) {
    if (!share_.ride_out) parts_.witness.lost(share_.batch);
    if (!parts_.recorder.on()) return;
    Call one = call;
    for (unsigned order = 0; order < share_.batch; ++order, ++one.wish.serial) {
        parts_.recorder.unanswered(sent_line(one));
    }
}

void Engine::abandon_rest() {
    for (Connection& connection : connections_) {
        for (; connection.calls_count > 0; --connection.calls_count) {
            const Call& call = connection.calls[connection.calls_first];
            connection.calls_first = (connection.calls_first + 1) % share_.pipeline;
            unanswered(call);
            if (share_.ride_out) parts_.witness.lost(share_.batch);
        }
    }
    // Those waiting to ask again stand in the record already.
    parts_.witness.lost(retries_.size() * share_.batch);
    if (share_.rate <= 0) return;
    const double due = share_.rate * std::chrono::duration<double>(stop_ - start_).count();
    const auto orders = static_cast<std::uint64_t>(due);
    const std::uint64_t wanted = share_.orders > 0 ? std::min(orders, share_.orders) : orders;
    if (wanted > issued_) parts_.witness.never_sent += wanted - issued_;
}

}  // namespace firstcome::cli
