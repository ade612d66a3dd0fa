// src/http/options.hpp - what can be set about the engine, with its defaults
#pragma once

#include "http/access_log.hpp"
#include "http/answers.hpp"
#include "http/message.hpp"
#include "http/request_parser.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace firstcome::http {

class Gate;
class RequestTrace;
class TlsSlot;

struct Timeouts {
    std::chrono::nanoseconds header = std::chrono::seconds{10};  ///< first byte to end of head
    std::chrono::nanoseconds body = std::chrono::seconds{20};    ///< end of head to end of body
    std::chrono::nanoseconds idle = std::chrono::seconds{60};    ///< between requests
    std::chrono::nanoseconds reply = std::chrono::seconds{5};    ///< lane's answer, else 504
    std::chrono::nanoseconds write = std::chrono::seconds{10};   ///< without the reader's progress
    std::chrono::nanoseconds half = std::chrono::seconds{1};     ///< a half request, when draining
    std::chrono::nanoseconds linger = std::chrono::seconds{2};   ///< reading on after our last byte
    std::chrono::nanoseconds sweep = std::chrono::milliseconds{100};  ///< how exact the above are
};

struct ServerOptions {
    std::string host = "127.0.0.1";  ///< an IPv4 or IPv6 address
    std::uint16_t port = 8080;       ///< 0: any free one
    unsigned io_threads = 1;
    std::string thread_name = "fc-io";  ///< and the thread's number; at most 15 bytes in all
    /// Of all threads; beyond it an idle one gives way to the newcomer, else 503 and close.
    std::size_t connections_max = 10'000;
    /// Bytes that all connections together hold beyond their small buffers: bodies that have not
    /// come whole, answers that are not taken. Beyond it 503 and close.
    std::size_t buffers_max = std::size_t{256} * 1024 * 1024;
    Limits limits = {};
    Timeouts timeouts = {};
    AccessLogOptions access_log = {};
    RenderProblem render_problem = render_engine_problem;
    Gate* gate = nullptr;           ///< outlives the server; null: everybody is let in
    RequestTrace* trace = nullptr;  ///< outlives the server; null: no spans are made
    const TlsSlot* tls = nullptr;   ///< null: plain HTTP; outlives the server
};

}  // namespace firstcome::http
