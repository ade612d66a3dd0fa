// src/adapters/redis/stream.hpp - bytes to and from a server, plain or TLS, each wait with an end
#pragma once

#include "adapters/redis/deadline.hpp"
#include "adapters/redis/tls.hpp"
#include "adapters/redis/url.hpp"

#include <cstddef>
#include <expected>
#include <span>
#include <string>
#include <string_view>

struct addrinfo;

namespace firstcome::redis {

/// A TCP connection; closed with the object. Errors are words for the operator; after one only
/// closing is left.
///
/// Thread   one at a time
class Stream {
public:
    Stream() = default;
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    /// `tls` of nullptr: none. Once per object.
    [[nodiscard]] std::expected<void, std::string> open(
        const Address& address, const TlsContext* tls, const Deadline& deadline
    );

    /// Whether `open` failed since the server's certificate does not hold.
    [[nodiscard]] bool distrusts() const {
        return session_ != nullptr && is_distrusted(session_.get());
    }

    [[nodiscard]] std::expected<void, std::string> write(
        std::string_view bytes, const Deadline& deadline
    );
    /// At least one byte; the end of the stream is an error.
    [[nodiscard]] std::expected<std::size_t, std::string> read(
        std::span<char> into, const Deadline& deadline
    );

    /// Between an answer and the next request: false when the server has hung up, or has said
    /// something nobody asked for. Never waits.
    [[nodiscard]] bool quiet();

private:
    std::expected<void, std::string> connect_to(const addrinfo& where, const Deadline& deadline);
    std::expected<void, std::string> shake_hands(const Deadline& deadline);
    /// Waits for what the last call on the socket lacked.
    std::expected<void, std::string> wait(short events, const Deadline& deadline) const;
    /// The events that the TLS session lacks; 0: it has failed.
    [[nodiscard]] short lacking(int returned) const;

    int descriptor_ = -1;
    TlsContext::Session session_;
};

}  // namespace firstcome::redis
