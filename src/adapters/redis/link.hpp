// src/adapters/redis/link.hpp - one server, logged in: requests out, replies in
#pragma once

#include "adapters/redis/deadline.hpp"
#include "adapters/redis/failure.hpp"
#include "adapters/redis/reply.hpp"
#include "adapters/redis/requests.hpp"
#include "adapters/redis/server.hpp"
#include "adapters/redis/stream.hpp"
#include "adapters/redis/tls.hpp"

#include <memory>
#include <string>
#include <vector>

namespace firstcome::redis {

/// Who we are to a server.
struct Login {
    std::string user{};
    std::string password{};  ///< user and password empty: none is asked for
    std::string client_name{};
    int database = 0;
};

/// Thread   one at a time
class Link {
public:
    /// Connects, logs in, and asks the server about itself: one round trip after the connection.
    ///
    /// Errors   not_sent  cannot be reached now
    ///          refused   the password is wrong, or a right is missing
    [[nodiscard]] static Result<std::unique_ptr<Link>> open(
        const Address& address, const Login& login, const TlsContext* tls, const Deadline& deadline
    );

    /// As many replies as requests; an error among them stays in its place. After a Failure only
    /// closing is left.
    [[nodiscard]] Result<std::vector<Reply>> exchange(
        const Requests& requests, const Deadline& deadline
    );

    /// See Stream.
    [[nodiscard]] bool quiet() { return stream_.quiet(); }

    [[nodiscard]] const Server& server() const { return server_; }

private:
    explicit Link(const Address& address) : buffer_(buffer_bytes) { server_.address = address; }

    Result<void> log_in(const Login& login, const Deadline& deadline);
    Result<Reply> receive(const Deadline& deadline);

    static constexpr std::size_t buffer_bytes = std::size_t{64} << 10U;

    Stream stream_;
    ReplyReader reader_;
    std::vector<char> buffer_;
    Server server_;
};

}  // namespace firstcome::redis
