// src/http/io_thread.cpp - one event loop with its connections; the sink of their orders' answers
#include "http/io_thread.hpp"

#include "base/assert.hpp"
#include "base/failpoint.hpp"
#include "http/session.hpp"
#include "http/tls.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <pthread.h>
#include <utility>

namespace firstcome::http {
namespace {

constexpr auto quietly = asio::as_tuple(asio::deferred);

/// How long no connection is accepted after the process ran out of file descriptors.
constexpr auto accept_pause = std::chrono::milliseconds{50};

/// A connection that has waited for no longer than this is not closed for another one: between two
/// requests of a page there is less.
constexpr auto idle_before_displaced = std::chrono::seconds{1};
/// Connections looked at for one that may be closed, for each newcomer at the cap.
constexpr std::size_t displace_looks_max = 64;

constexpr std::size_t buffer_size_min = std::size_t{4} * 1024;
constexpr std::size_t buffer_size_kept_max = std::size_t{256} * 1024;
constexpr std::size_t buffers_kept_max = 256;
constexpr std::size_t spare_exchanges_max = 4096;
constexpr std::size_t spare_text_max = std::size_t{4} * 1024;

/// Where a coroutine's end is told: nothing may end by an exception, so one is printed.
struct ReportExit {
    const char* what;

    void operator()(const std::exception_ptr& failure) const {
        if (failure == nullptr) return;
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "firstcome: %s ended: %s\n", what, error.what());
        } catch (...) {
            std::fprintf(stderr, "firstcome: %s ended by an unknown exception\n", what);
        }
    }
};

ReportExit report_exit(const char* what) {
    return {what};
}

/// A process that takes no more connections is no use, and must not look alive (e2e: scarcity).
void end_with_accepting(const std::exception_ptr& failure) {
    report_exit("accepting")(failure);
    if (failure != nullptr) std::abort();
}

PeerAddress peer_of(const asio::ip::tcp::endpoint& endpoint) {
    const auto address = endpoint.address();
    PeerAddress peer;
    peer.bytes = address.is_v6()
                     ? address.to_v6().to_bytes()
                     : asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4()).to_bytes();
    return peer;
}

bool out_of_descriptors(const boost::system::error_code& error) {
    return error == asio::error::no_descriptors || error == asio::error::no_memory ||
           error == asio::error::no_buffer_space ||
           error == boost::system::errc::too_many_files_open_in_system;
}

}  // namespace

Waiter::~Waiter() {
    FC_ASSERT(resume_ == nullptr);
}

void Waiter::arrived(std::size_t count) {
    outstanding_ -= std::min(count, outstanding_);
    if (outstanding_ == 0) resume();
}

void Waiter::expire() {
    resume();
}

void Waiter::resume() {
    if (resume_ == nullptr) return;
    // The coroutine may destroy this waiter before it returns.
    auto resume = std::exchange(resume_, nullptr);
    resume();
}

Awaitable<bool> Waiter::wait(base::MonotonicTime deadline) {
    if (outstanding_ == 0) co_return true;
    deadline_ = deadline;
    io_.watch(*this);
    auto start = [this](auto handler) {
        resume_ = [handler = std::move(handler)]() mutable { std::move(handler)(); };
    };
    co_await asio::async_initiate<const asio::deferred_t, void()>(std::move(start), asio::deferred);
    io_.unwatch(*this);
    const bool complete = outstanding_ == 0;
    outstanding_ = 0;
    co_return complete;
}

IdSource::IdSource(base::Entropy& entropy) {
    for (std::uint64_t& word : state_) word = entropy.next();
    state_[0] |= 1U;  // all zero would stay zero for ever
}

std::uint64_t IdSource::next() {
    auto& s = state_;
    const std::uint64_t result = std::rotl(s[0] + s[3], 23) + s[0];
    const std::uint64_t shifted = s[1] << 17U;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = std::rotl(s[3], 45);
    return result;
}

void RunningThreads::enter() {
    const std::lock_guard lock{mutex_};
    ++count_;
}

void RunningThreads::leave() {
    const std::lock_guard lock{mutex_};
    FC_ASSERT(count_ > 0);
    --count_;
    none_.notify_all();
}

bool RunningThreads::wait_until_none(std::chrono::nanoseconds patience) {
    std::unique_lock lock{mutex_};
    return none_.wait_for(lock, patience, [this] { return count_ == 0; });
}

IoThread::IoThread(unsigned index, IoThreadContext context, base::Entropy& entropy, int listening)
    : index_(index),
      shared_(context),
      context_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO),
      work_(context_.get_executor()),
      acceptor_(context_.get_executor()),
      accept_pause_(context_.get_executor()),
      sweep_timer_(context_.get_executor()),
      figures_(context.router.routes().size()),
      ids_(entropy) {
    sockaddr_storage name{};
    socklen_t size = sizeof(name);
    ::getsockname(listening, reinterpret_cast<sockaddr*>(&name), &size);
    acceptor_.assign(name.ss_family == AF_INET6 ? Tcp::v6() : Tcp::v4(), listening);
}

IoThread::~IoThread() {
    FC_ASSERT(!thread_.joinable());
    while (free_exchanges_ != nullptr) {
        delete std::exchange(free_exchanges_, free_exchanges_->next);
    }
}

void IoThread::start() {
    arm_sweep();
    asio::co_spawn(context_, accept_connections(*this), end_with_accepting);
    thread_ = std::thread{[this] { run(); }};
}

void IoThread::run() {
    char thread_name[16];
    const char* name = options().thread_name.c_str();
    std::snprintf(thread_name, sizeof(thread_name), "%s-%u", name, index_);
    pthread_setname_np(pthread_self(), thread_name);
    context_.run();
    shared_.running.leave();
}

void IoThread::stop_accepting() {
    post([this] {
        accepting_ = false;
        boost::system::error_code ignored;
        acceptor_.cancel(ignored);
        accept_pause_.cancel();
    });
}

void IoThread::close_idle() {
    post([this] {
        leaving_ = true;
        for (Session* session : sessions_) session->close_if_idle();
        leave_when_empty();
    });
}

void IoThread::cut() {
    post([this] {
        for (Session* session : sessions_) session->cut();
        for (Deadlined* what = watched_; what != nullptr; what = what->next_) {
            what->deadline_ = base::MonotonicTime::min();
        }
        sweep();
    });
}

void IoThread::join() {
    if (thread_.joinable()) thread_.join();
}

void IoThread::leave_when_empty() {
    if (!leaving_ || !sessions_.empty()) return;
    sweep_timer_.cancel();
    work_.reset();
}

void IoThread::deliver(std::span<app::Answer> answers) {
    bool first = false;
    {
        const std::lock_guard lock{inbox_mutex_};
        first = inbox_.empty();
        for (app::Answer& answer : answers) inbox_.push_back(std::move(answer));
    }
    if (first) post([this] { take_inbox(); });
}

void IoThread::take_inbox() {
    {
        const std::lock_guard lock{inbox_mutex_};
        std::swap(inbox_, arrived_);
    }
    for (app::Answer& answer : arrived_) {
        const std::size_t part = answer.ticket & ((1U << part_bits) - 1);
        const std::size_t index = (answer.ticket >> part_bits) & ((1U << index_bits) - 1);
        const auto generation =
            static_cast<std::uint32_t>(answer.ticket >> (part_bits + index_bits));
        FC_ASSERT(index < tickets_.size());
        const Ticket& ticket = tickets_[index];
        if (ticket.generation != generation) {
            figures_.stale_answers.add();
            continue;
        }
        FC_ASSERT(part < ticket.replies.size());
        ticket.replies[part] = std::move(answer.reply);
        if (ticket.placed != nullptr) *ticket.placed = answer.placed;
        ticket.waiter->arrived(1);
    }
    arrived_.clear();
}

std::uint64_t IoThread::open_ticket(
    Waiter& waiter, std::span<std::optional<app::Reply>> replies, app::PlaceTimes* placed
) {
    FC_ASSERT(replies.size() <= std::size_t{1} << part_bits);
    if (free_tickets_.empty()) {
        FC_ASSERT(tickets_.size() < std::size_t{1} << index_bits);
        free_tickets_.push_back(static_cast<std::uint32_t>(tickets_.size()));
        tickets_.emplace_back();
    }
    const std::uint32_t index = free_tickets_.back();
    free_tickets_.pop_back();
    Ticket& ticket = tickets_[index];
    ticket.waiter = &waiter;
    ticket.replies = replies;
    ticket.placed = placed;
    return std::uint64_t{ticket.generation} << (part_bits + index_bits) | std::uint64_t{index}
                                                                              << part_bits;
}

void IoThread::close_ticket(std::uint64_t number) {
    const auto index = static_cast<std::uint32_t>((number >> part_bits) & ((1U << index_bits) - 1));
    Ticket& ticket = tickets_[index];
    if (ticket.generation != number >> (part_bits + index_bits)) return;
    // 0 is never a generation, so that no ticket is ever 0.
    if (++ticket.generation == 0) ticket.generation = 1;
    ticket.waiter = nullptr;
    ticket.replies = {};
    ticket.placed = nullptr;
    free_tickets_.push_back(index);
}

void IoThread::watch(Deadlined& what) {
    what.previous_ = nullptr;
    what.next_ = watched_;
    if (watched_ != nullptr) watched_->previous_ = &what;
    watched_ = &what;
}

void IoThread::unwatch(Deadlined& what) {
    if (sweep_next_ == &what) sweep_next_ = what.next_;
    if (watched_ == &what) watched_ = what.next_;
    if (what.next_ != nullptr) what.next_->previous_ = what.previous_;
    if (what.previous_ != nullptr) what.previous_->next_ = what.next_;
    what.next_ = what.previous_ = nullptr;
}

void IoThread::arm_sweep() {
    last_beat_ns_.store(clock().monotonic().time_since_epoch().count(), std::memory_order_relaxed);
    sweep_timer_.expires_after(options().timeouts.sweep);
    sweep_timer_.async_wait([this](boost::system::error_code error) {
        if (error) return;
        sweep();
        // Cancelling does not reach a timer that has fired already.
        if (!leaving_ || !sessions_.empty()) arm_sweep();
    });
}

void IoThread::sweep() {
    base::failpoint(options().thread_name);
    const auto now = clock().monotonic();
    sweep_next_ = watched_;
    while (sweep_next_ != nullptr) {
        Deadlined& what = *std::exchange(sweep_next_, sweep_next_->next_);
        if (now >= what.deadline_) what.expire();
    }
}

base::MonotonicTime IoThread::last_beat() const {
    return base::MonotonicTime{
        std::chrono::nanoseconds{last_beat_ns_.load(std::memory_order_relaxed)}};
}

Exchange& IoThread::take_exchange() {
    if (free_exchanges_ == nullptr) return *new Exchange;
    --spare_exchanges_;
    Exchange& exchange = *std::exchange(free_exchanges_, free_exchanges_->next);
    exchange.next = nullptr;
    return exchange;
}

void IoThread::give_back(Exchange& exchange) {
    exchange.request.clear();
    exchange.reply.reset();
    exchange.placed = {};
    exchange.ticket = 0;
    exchange.allow = {};
    exchange.keep_alive = true;
    exchange.says_keep_alive = false;
    exchange.let_in = false;
    if (exchange.written.capacity() > spare_text_max) exchange.written = std::string{};
    if (spare_exchanges_ == spare_exchanges_max) {
        delete &exchange;  // NOLINT: made by take_exchange
        return;
    }
    ++spare_exchanges_;
    exchange.next = free_exchanges_;
    free_exchanges_ = &exchange;
}

std::string IoThread::take_buffer() {
    if (free_buffers_.empty()) {
        std::string buffer;
        buffer.reserve(buffer_size_min);
        return buffer;
    }
    std::string buffer = std::move(free_buffers_.back());
    free_buffers_.pop_back();
    return buffer;
}

void IoThread::give_back(std::string buffer) {
    if (buffer.capacity() > buffer_size_kept_max) return;
    if (free_buffers_.size() >= buffers_kept_max) return;
    buffer.clear();
    free_buffers_.push_back(std::move(buffer));
}

std::string_view IoThread::date_line(base::MonotonicTime now) {
    if (now < date_until_) return date_line_;
    const auto wall = clock().wall();
    const auto second = std::chrono::floor<std::chrono::seconds>(wall);
    date_until_ = now + (second + std::chrono::seconds{1} - wall);
    const std::time_t time = second.time_since_epoch().count();
    std::tm parts{};
    ::gmtime_r(&time, &parts);
    constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array months{
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::array<char, 64> text;
    const int size = std::snprintf(
        text.data(),
        text.size(),
        "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
        days[static_cast<std::size_t>(parts.tm_wday)],
        parts.tm_mday,
        months[static_cast<std::size_t>(parts.tm_mon)],
        parts.tm_year + 1900,
        parts.tm_hour,
        parts.tm_min,
        parts.tm_sec
    );
    date_line_.assign(text.data(), static_cast<std::size_t>(size));
    return date_line_;
}

Awaitable<void> IoThread::accept_connections(IoThread& io) {
    Tcp::endpoint from;
    while (io.accepting_) {
        auto [error, socket] = co_await io.acceptor_.async_accept(from, quietly);
        if (!error) {
            io.admit(std::move(socket), from);
        } else if (out_of_descriptors(error)) {
            io.figures_.accept_pauses.add();
            io.accept_pause_.expires_after(accept_pause);
            co_await io.accept_pause_.async_wait(quietly);
        }
    }
    io.accept_waiting();
}

/// Closing a listening socket would reset what the kernel has accepted for us already.
void IoThread::accept_waiting() {
    boost::system::error_code error;
    acceptor_.non_blocking(true, error);
    while (!error) {
        Tcp::endpoint from;
        Socket socket{context_.get_executor()};
        acceptor_.accept(socket, from, error);
        if (!error) admit(std::move(socket), from);
    }
    acceptor_.close(error);
}

void IoThread::admit(Socket socket, const Tcp::endpoint& from) {
    figures_.connections_accepted.add();
    boost::system::error_code error;
    socket.non_blocking(true, error);
    if (error) return;
    const auto open = shared_.open_connections.fetch_add(1, std::memory_order_relaxed);
    if (open >= options().connections_max && !displace()) {
        shared_.open_connections.fetch_sub(1, std::memory_order_relaxed);
        refuse(socket);
        return;
    }
    figures_.connections_open.add();
    auto session = std::make_unique<Session>(*this, std::move(socket), peer_of(from));
    session->index_ = sessions_.size();
    sessions_.push_back(session.get());
    if (options().tls != nullptr && !session->secure(*options().tls->get())) {
        figures_.connections_refused.add();
        return;  // with the session ends its socket
    }
    if (leaving_) {
        arm_sweep();  // it may have ended already, when nobody was left
        session->close_if_idle();
    }
    asio::co_spawn(context_, run_session(std::move(session)), report_exit("session"));
}

/// The one idle longest of the few it looks at; a walk over all would be what a flood wants.
bool IoThread::displace() {
    const auto idle_long_enough = clock().monotonic() - idle_before_displaced;
    Session* idlest = nullptr;
    base::MonotonicTime since = idle_long_enough;
    for (std::size_t i = 0; i < std::min(displace_looks_max, sessions_.size()); ++i) {
        if (++next_looked_at_ >= sessions_.size()) next_looked_at_ = 0;
        Session* const each = sessions_[next_looked_at_];
        const auto idle = each->idle_since();
        if (!idle || *idle > since) continue;
        idlest = each;
        since = *idle;
    }
    // Only here: the kernel is asked once, not about each it looks at.
    if (idlest == nullptr || idlest->has_unread()) return false;
    figures_.connections_displaced.add();
    idlest->cut();
    return true;
}

void IoThread::refuse(Socket& socket) {
    figures_.connections_refused.add();
    // A handshake only to say no would be what a flood wants.
    if (options().tls != nullptr) return;
    Exchange& exchange = take_exchange();
    exchange.keep_alive = false;
    exchange.request.id.make(ids_.next());
    exchange.request.trace.trace_high = ids_.next();
    exchange.request.trace.trace_low = ids_.next();
    scratch_.clear();
    options().render_problem(ProblemCode::please_wait, exchange.request, scratch_);
    std::string answer = take_buffer();
    write_response(answer, exchange, scratch_, date_line(clock().monotonic()));
    boost::system::error_code ignored;
    socket.send(asio::buffer(answer), 0, ignored);
    socket.shutdown(asio::socket_base::shutdown_send, ignored);
    give_back(std::move(answer));
    give_back(exchange);
}

void IoThread::session_ended(Session& session) {
    sessions_.back()->index_ = session.index_;
    sessions_[session.index_] = sessions_.back();
    sessions_.pop_back();
    figures_.connections_open.take();
    shared_.open_connections.fetch_sub(1, std::memory_order_relaxed);
    leave_when_empty();
}

}  // namespace firstcome::http
