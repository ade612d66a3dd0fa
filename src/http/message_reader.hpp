// src/http/message_reader.hpp - the bytes of a connection, cut into messages as they come in
#pragma once

#include "base/time.hpp"
#include "http/message.hpp"
#include "http/request_parser.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>

namespace firstcome::http {

class ByteBudget;  // byte_budget.hpp
class Router;      // routes.hpp
struct Exchange;   // io_thread.hpp

/// Holds what was read and not yet answered, and how much of the message at its front is there. A
/// connection that waits for its next request holds a few KiB; what a large body needs beyond that
/// is borrowed from what all connections share, and only as it really comes.
///
/// Thread   its connection's
class MessageReader {
public:
    enum class Phase : std::uint8_t { head, sized_body, chunked_body };

    /// All outlive this.
    MessageReader(const Limits& limits, const Router& router, ByteBudget& budget)
        : limits_(limits), router_(router), budget_(budget) {}

    MessageReader(const MessageReader&) = delete;
    MessageReader& operator=(const MessageReader&) = delete;
    ~MessageReader();

    [[nodiscard]] bool has_bytes() const { return begin_ < end_; }

    /// A message has begun to come in and is not whole.
    [[nodiscard]] bool began() const { return message_.began; }

    /// Its head or its body, and since when.
    [[nodiscard]] Phase phase() const { return message_.phase; }

    [[nodiscard]] base::MonotonicTime since() const { return message_.since; }

    /// True: the exchange has the next message, whole, with its route; its texts lie in here until
    /// the next `room`. False: more must be read. Errors: no message can follow.
    [[nodiscard]] std::expected<bool, ProblemCode> read(
        Exchange& exchange, Framing& framing, base::MonotonicTime now
    );

    /// The gate is to be asked before more of this body is read. Said once.
    [[nodiscard]] bool take_gate_due();
    /// The client waits for a word before it sends the body. Said once.
    [[nodiscard]] bool take_continue_due();

    /// Before `room`, when a message is not whole. False: all connections together hold as much as
    /// they may.
    [[nodiscard]] bool borrow();

    /// Where the next read goes; never empty.
    [[nodiscard]] std::span<char> room();
    /// So many bytes of it have come.
    void took(std::size_t size);

    /// Forgets what came.
    void drop();

private:
    /// The message at `begin_` as far as it has arrived; offsets count from there.
    struct Message {
        Phase phase = Phase::head;
        bool began = false;       // `since` is set
        std::size_t scanned = 0;  // no line ends before it but those already parsed
        std::size_t wanted = 0;   // sized_body: bytes of the whole message
        std::size_t head_size = 0;
        std::size_t body_size = 0;  // chunked_body: decoded so far, right after the head
        std::size_t raw = 0;        // chunked_body: not decoded yet begins here
        std::size_t body_size_max = 0;
        base::MonotonicTime since{};  // the phase's first byte, for its deadline
        ChunkedDecoder decoder;
    };

    [[nodiscard]] std::expected<bool, ProblemCode> read_head(
        Exchange& exchange, Framing& framing, base::MonotonicTime now
    );
    [[nodiscard]] std::expected<bool, ProblemCode> read_chunks();
    [[nodiscard]] bool wait_for_body(
        Phase phase, const Exchange& exchange, const Framing& framing, base::MonotonicTime now
    );
    void make_room();
    [[nodiscard]] std::size_t room_wanted() const;

    /// Behind the body as far as it is decoded.
    [[nodiscard]] std::size_t body_end() const { return message_.head_size + message_.body_size; }

    const Limits& limits_;
    const Router& router_;
    ByteBudget& budget_;
    std::unique_ptr<char[]> bytes_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::size_t last_read_ = 0;
    std::size_t borrowed_ = 0;  // of the budget
    bool gate_due_ = false;
    bool continue_due_ = false;
    Message message_;
};

}  // namespace firstcome::http
