// src/http/tls.hpp - TLS: what we show to clients, and the encrypted side of one connection
#pragma once

#include "http/executor.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>

namespace firstcome::http {

/// What is asked of clients beside their own check of us.
enum class ClientCertificate : std::uint8_t {
    none,      // nobody is asked
    accepted,  // asked for, not needed; one that does not hold ends the connection
    required,  // no connection without one
};

struct TlsFiles {
    std::string certificate;  ///< PEM, ours first, then those that vouch for it
    std::string key;          ///< PEM, not readable by others than owner and group
    std::string client_ca;    ///< PEM, who vouches for clients; empty: `clients` is none
    ClientCertificate clients = ClientCertificate::none;
};

/// Certificate, key and rules for new connections: TLS 1.2 and 1.3, forward secrecy only, no
/// renegotiation, tickets for resumption, ALPN http/1.1.
///
/// Thread   any; its connections keep alive what they need of it
/// Source   RFC 9325 (BCP 195)
class TlsContext {
public:
    /// Errors   which file, and what is wrong with it
    [[nodiscard]] static std::expected<std::shared_ptr<TlsContext>, std::string> load(
        const TlsFiles& files
    );

    TlsContext();

    [[nodiscard]] asio::ssl::context& native() { return context_; }

private:
    asio::ssl::context context_;
};

/// The context new connections get; those that are open keep theirs.
///
/// Thread   any
class TlsSlot {
public:
    explicit TlsSlot(std::shared_ptr<TlsContext> context) : context_(std::move(context)) {}

    [[nodiscard]] std::shared_ptr<TlsContext> get() const {
        const std::lock_guard lock{mutex_};
        return context_;
    }

    void put(std::shared_ptr<TlsContext> context) {
        const std::lock_guard lock{mutex_};
        std::swap(context_, context);
    }

private:
    mutable std::mutex mutex_;
    std::shared_ptr<TlsContext> context_;
};

/// Whether a handshake failed because the other end speaks plain HTTP.
[[nodiscard]] bool is_plain_http(const boost::system::error_code& error);

/// One connection's encrypted side, over a socket that is not ours. Cancelling or closing the
/// socket ends what is under way.
///
/// Thread   the connection's io thread
class TlsStream {
public:
    using Socket = asio::basic_stream_socket<asio::ip::tcp, IoExecutor>;
    using Moved = std::tuple<boost::system::error_code, std::size_t>;

    /// Null: OpenSSL has no room for one more connection.
    [[nodiscard]] static std::unique_ptr<TlsStream> over(Socket& socket, TlsContext& context);

    [[nodiscard]] Awaitable<boost::system::error_code> shake_hands();
    /// The end of the other side is eof, however it ends.
    [[nodiscard]] Awaitable<Moved> read_some(asio::mutable_buffer room);
    [[nodiscard]] Awaitable<Moved> write_some(asio::const_buffer bytes);
    /// Says that nothing more comes, and waits until the other end says so too.
    [[nodiscard]] Awaitable<void> say_goodbye();

    /// The client has shown a certificate, and one of our authorities vouches for it.
    [[nodiscard]] bool is_certified();

private:
    TlsStream(Socket& socket, SSL* connection) : stream_(socket, connection) {}

    asio::ssl::stream<Socket&> stream_;
};

}  // namespace firstcome::http
