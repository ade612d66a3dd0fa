// src/http/session.hpp - one connection: read, route, write; limits and deadlines
// stop 1 of 7 on the path of one order
#pragma once

#include "http/executor.hpp"
#include "http/io_thread.hpp"
#include "http/message.hpp"
#include "http/message_reader.hpp"
#include "http/request_parser.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace firstcome::http {

class TlsContext;  // tls.hpp
class TlsStream;

/// Everything of a connection that outlives one read. `run_session` drives it.
///
/// All complete messages of a read are answered, in order, with one write. Orders are on the lane
/// together; any other request waits until the orders before it have their answers.
///
/// Thread   its io thread
class Session final : public Deadlined {
public:
    using Socket = IoThread::Socket;

    Session(IoThread& io, Socket socket, PeerAddress peer);
    ~Session() override;

    /// The connection speaks TLS. Before `run_session`. False: there is no room for it.
    [[nodiscard]] bool secure(TlsContext& context);

    [[nodiscard]] TlsStream* tls() { return tls_.get(); }

    /// False: no TLS came to be, and the connection is over.
    [[nodiscard]] Awaitable<bool> shake_hands();

    enum class Next : std::uint8_t {
        read,         // everything complete is answered or on the lane
        answer_held,  // one request must wait for the answers before it
        flush,        // much is written or answered already: send it, give way, then go on
        leave,        // the last answer is there
    };

    /// Parses and answers what is in the buffer, as far as that needs no waiting.
    [[nodiscard]] Next advance();

    [[nodiscard]] Waiter& answers() { return answers_; }

    [[nodiscard]] base::MonotonicTime reply_deadline() const;
    /// Writes the answers of all orders that were on the lane.
    void render_pending();

    [[nodiscard]] bool held_answers_later() const;
    void answer_held_now();
    /// Waits for the handler.
    [[nodiscard]] Awaitable<void> answer_held_later();

    /// True: nothing is left to send. False: the reader is slow (or gone, see `broken`).
    [[nodiscard]] bool send_now();
    [[nodiscard]] Awaitable<void> send_rest();
    /// Lets the thread's other connections go on first.
    [[nodiscard]] Awaitable<void> give_way();

    [[nodiscard]] bool broken() const { return broken_; }

    /// The service goes down and this one waits for nothing.
    [[nodiscard]] bool leaves_now() const { return leaving_ && !reader_.began(); }

    /// Room for the next read; sets the deadline it has.
    [[nodiscard]] std::span<char> room();
    /// False: the connection is over. May have written a last answer.
    [[nodiscard]] bool took(boost::system::error_code error, std::size_t size);
    /// Says goodbye and reads on a little, so that our last answer is not cut by a reset.
    [[nodiscard]] Awaitable<void> linger();

    [[nodiscard]] Socket& socket() { return socket_; }

    /// Ends it at once when it waits for a request, else after the answers.
    void close_if_idle();
    void cut();

    /// When it began to wait for a request; nothing: something is under way.
    [[nodiscard]] std::optional<base::MonotonicTime> idle_since() const;
    /// A request has come, and its turn has not. Asks the kernel.
    [[nodiscard]] bool has_unread();

private:
    friend class IoThread;

    /// What the gate said before a body came.
    struct LetIn {
        PeerAddress client{};
        LimitNote limit{};
    };

    void expire() override;

    /// What is to be done when a message has not come whole.
    [[nodiscard]] Next wait_for_more(Exchange& exchange);
    /// False: the gate has refused the request before its body came, and that is the last answer.
    [[nodiscard]] bool let_in_early(Exchange& exchange);
    void complete(Exchange& exchange, const Framing& framing);
    /// False: held, since answers before it are outstanding or its handler waits.
    [[nodiscard]] bool answer(Exchange& exchange);
    /// False: answered.
    [[nodiscard]] bool admitted(Exchange& exchange);
    void answer_unrouted(Exchange& exchange);
    void answer_problem(Exchange& exchange, ProblemCode why);
    void refuse(Exchange& exchange, ProblemCode why);
    void finish(Exchange& exchange, const Response& response);
    void append_pending(Exchange& exchange);
    void write(
        std::string& out,
        const Exchange& exchange,
        const Response& response,
        base::MonotonicTime now
    );
    void identify(Request& request);
    void release_output();

    IoThread& io_;  // outlives
    Socket socket_;
    std::unique_ptr<TlsStream> tls_;  // null: plain HTTP
    PeerAddress peer_;
    std::size_t index_ = 0;  // in the io thread's list

    MessageReader reader_;
    std::span<char> room_;               // of the read under way
    std::optional<LetIn> let_in_;        // the message that comes in
    base::MonotonicTime now_{};          // when the last bytes came
    base::MonotonicTime waits_since_{};  // for the next request, if none is under way

    std::string out_;
    std::size_t sent_ = 0;
    Waiter answers_;
    Exchange* first_pending_ = nullptr;
    Exchange* last_pending_ = nullptr;
    std::size_t pending_ = 0;
    std::size_t answered_in_a_row_ = 0;
    Exchange* held_ = nullptr;

    bool keep_alive_ = true;
    bool reading_ = false;
    bool timed_out_ = false;
    bool leaving_ = false;
    bool broken_ = false;
    bool peer_closed_ = false;
    bool certified_ = false;
};

/// The whole answer, as it goes over the wire.
void write_response(
    std::string& out, const Exchange& exchange, const Response& response, std::string_view date_line
);

/// The life of one connection.
Awaitable<void> run_session(std::unique_ptr<Session> session);

}  // namespace firstcome::http
