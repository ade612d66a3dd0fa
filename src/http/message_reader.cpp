// src/http/message_reader.cpp - the bytes of a connection, cut into messages as they come in
#include "http/message_reader.hpp"

#include "base/assert.hpp"
#include "http/byte_budget.hpp"
#include "http/io_thread.hpp"
#include "http/routes.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

namespace firstcome::http {
namespace {

/// What an idle connection keeps; more is taken while it is needed.
constexpr std::size_t size_idle = std::size_t{4} * 1024;
/// What one read may bring when much comes at once; an idle connection may be left with it.
constexpr std::size_t size_busy = std::size_t{12} * 1024;

}  // namespace

MessageReader::~MessageReader() {
    budget_.give_back(borrowed_);
}

std::expected<bool, ProblemCode> MessageReader::read(
    Exchange& exchange, Framing& framing, base::MonotonicTime now
) {
    const std::string_view bytes{bytes_.get() + begin_, end_ - begin_};
    if (!message_.began) {
        message_.began = true;
        message_.since = now;
    }
    switch (message_.phase) {
        case Phase::head:
            // A head that comes in drops is parsed once per line, not once per byte.
            if (message_.scanned > 0 && bytes.size() <= limits_.request_line_size_max &&
                bytes.find('\n', message_.scanned) == std::string_view::npos) {
                message_.scanned = bytes.size();
                return false;
            }
            break;
        case Phase::sized_body:
            if (bytes.size() < message_.wanted) return false;
            break;
        case Phase::chunked_body: {
            const auto finished = read_chunks();
            if (!finished || !*finished) return finished;
            break;
        }
    }
    return read_head(exchange, framing, now);
}

// Also when the body is there at last: what the head says points into bytes that may have moved.
std::expected<bool, ProblemCode> MessageReader::read_head(
    Exchange& exchange, Framing& framing, base::MonotonicTime now
) {
    const std::string_view bytes{bytes_.get() + begin_, end_ - begin_};
    Request& request = exchange.request;
    const auto head_size = parse_head(bytes, limits_, request, framing);
    if (!head_size) return std::unexpected(head_size.error());
    if (*head_size == 0) {
        message_.scanned = bytes.size();
        return false;
    }
    const Match match = router_.match(request.method, request.path, request.parameters);
    request.route = match.route;
    exchange.allow = match.allow;
    message_.head_size = *head_size;
    message_.body_size_max =
        match.route == nullptr ? limits_.body_size_max : match.route->body_size_max;
    if (framing.content_length > message_.body_size_max) {
        exchange.keep_alive = false;
        return std::unexpected(ProblemCode::payload_too_large);
    }
    // Whoever asks first gets the final answer before sending a body in vain.
    if (framing.expects_continue && match.route == nullptr && match.allow.empty()) {
        return std::unexpected(ProblemCode::not_found);
    }
    std::size_t message_size = *head_size + framing.content_length;
    if (framing.chunked) {
        if (message_.phase == Phase::head) {
            message_.raw = *head_size;
            message_.body_size = 0;
            message_.decoder = {};
            const auto finished = read_chunks();
            if (!finished) return finished;
            if (!*finished) return wait_for_body(Phase::chunked_body, exchange, framing, now);
        }
        message_size = message_.raw;
        request.body = bytes.substr(*head_size, message_.body_size);
    } else {
        message_.wanted = message_size;
        if (bytes.size() < message_size) {
            return wait_for_body(Phase::sized_body, exchange, framing, now);
        }
        request.body = bytes.substr(*head_size, framing.content_length);
    }
    begin_ += message_size;
    message_ = {};
    return true;
}

bool MessageReader::wait_for_body(
    Phase phase, const Exchange& exchange, const Framing& framing, base::MonotonicTime now
) {
    const std::size_t arrived = end_ - begin_ - message_.head_size;
    continue_due_ = framing.expects_continue && arrived == 0;
    message_.phase = phase;
    message_.since = now;
    // A small body needs no more memory than its connection has, and is asked for when it is there.
    const bool is_large = framing.chunked || message_.wanted > size_busy;
    gate_due_ = exchange.request.route != nullptr && (is_large || continue_due_);
    return false;
}

std::expected<bool, ProblemCode> MessageReader::read_chunks() {
    char* const message = bytes_.get() + begin_;
    const auto taken = message_.decoder.take(
        {message + message_.raw, end_ - begin_ - message_.raw},
        message + body_end(),
        message_.body_size_max,
        limits_
    );
    if (!taken) return std::unexpected(taken.error());
    message_.raw += taken->used;
    message_.body_size += taken->made;
    return taken->finished;
}

bool MessageReader::take_gate_due() {
    return std::exchange(gate_due_, false);
}

bool MessageReader::take_continue_due() {
    return std::exchange(continue_due_, false);
}

bool MessageReader::borrow() {
    const std::size_t wanted = room_wanted();
    if (wanted <= size_busy || wanted <= borrowed_) return true;
    if (!budget_.take(wanted - borrowed_)) return false;
    borrowed_ = wanted;
    return true;
}

std::span<char> MessageReader::room() {
    make_room();
    return {bytes_.get() + end_, capacity_ - end_};
}

void MessageReader::make_room() {
    if (begin_ == end_) begin_ = end_ = 0;
    const std::size_t wanted = room_wanted();
    if (begin_ < end_ && message_.phase == Phase::chunked_body) {
        // What was decoded has left a gap behind the body.
        std::memmove(
            bytes_.get() + begin_ + body_end(),
            bytes_.get() + begin_ + message_.raw,
            end_ - begin_ - message_.raw
        );
        end_ -= message_.raw - body_end();
        message_.raw = body_end();
    }
    if (wanted > capacity_ || (begin_ == end_ && wanted < capacity_)) {
        auto bytes = std::make_unique_for_overwrite<char[]>(wanted);
        if (begin_ < end_) std::memcpy(bytes.get(), bytes_.get() + begin_, end_ - begin_);
        bytes_ = std::move(bytes);
        capacity_ = wanted;
    } else if (begin_ > 0) {
        std::memmove(bytes_.get(), bytes_.get() + begin_, end_ - begin_);
    }
    end_ -= begin_;
    begin_ = 0;
    FC_ASSERT(end_ < capacity_);
    if (borrowed_ > 0 && capacity_ <= size_busy) budget_.give_back(std::exchange(borrowed_, 0));
}

std::size_t MessageReader::room_wanted() const {
    if (begin_ == end_) {
        const bool came_much = last_read_ == capacity_ || last_read_ > size_idle;
        return came_much ? size_busy : size_idle;
    }
    std::size_t size = end_ - begin_;
    if (message_.phase == Phase::chunked_body) size -= message_.raw - body_end();
    // A length that is only announced gets no memory yet.
    std::size_t wanted = std::max(size_busy, size * 2);
    if (message_.phase == Phase::sized_body) wanted = std::min(wanted, message_.wanted);
    return std::max(wanted, size_idle);
}

void MessageReader::took(std::size_t size) {
    FC_ASSERT(size <= capacity_ - end_);
    last_read_ = size;
    end_ += size;
}

void MessageReader::drop() {
    begin_ = end_ = 0;
    message_ = {};
}

}  // namespace firstcome::http
