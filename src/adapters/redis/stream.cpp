// src/adapters/redis/stream.cpp - bytes to and from a server, plain or TLS, each wait with an end
#include "adapters/redis/stream.hpp"

#include "base/assert.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace firstcome::redis {

namespace {

using Opened = std::expected<void, std::string>;

std::unexpected<std::string> system_failure(int number) {
    return std::unexpected<std::string>(std::strerror(number));
}

void set_on(int descriptor, int level, int option) {
    const int on = 1;
    ::setsockopt(descriptor, level, option, &on, sizeof on);
}

struct FreeAddresses {
    void operator()(addrinfo* first) const { ::freeaddrinfo(first); }
};

using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

std::expected<Addresses, std::string> look_up(const Address& address) {
    addrinfo wanted{};
    wanted.ai_family = AF_UNSPEC;
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const std::string port = std::to_string(address.port);
    const int failed = ::getaddrinfo(address.host.c_str(), port.c_str(), &wanted, &found);
    if (failed != 0) return std::unexpected<std::string>(::gai_strerror(failed));
    return Addresses{found};
}

}  // namespace

Stream::~Stream() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

Opened Stream::open(const Address& address, const TlsContext* tls, const Deadline& deadline) {
    FC_ASSERT(descriptor_ < 0);
    const auto addresses = look_up(address);
    if (!addresses) return std::unexpected(addresses.error());
    Opened connected;
    for (const addrinfo* each = addresses->get(); each != nullptr; each = each->ai_next) {
        connected = connect_to(*each, deadline);
        if (connected) break;
    }
    if (!connected || tls == nullptr) return connected;
    session_ = tls->start(descriptor_, address.host);
    if (session_ == nullptr) return std::unexpected("no TLS session for " + address.host);
    return shake_hands(deadline);
}

Opened Stream::connect_to(const addrinfo& where, const Deadline& deadline) {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = ::socket(where.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor_ < 0) return system_failure(errno);
    set_on(descriptor_, IPPROTO_TCP, TCP_NODELAY);
    set_on(descriptor_, SOL_SOCKET, SO_KEEPALIVE);
    if (::connect(descriptor_, where.ai_addr, where.ai_addrlen) == 0) return {};
    if (errno != EINPROGRESS) return system_failure(errno);
    if (Opened waited = wait(POLLOUT, deadline); !waited) return waited;
    int failed = 0;
    socklen_t size = sizeof failed;
    ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &failed, &size);
    if (failed != 0) return system_failure(failed);
    return {};
}

Opened Stream::shake_hands(const Deadline& deadline) {
    while (true) {
        ERR_clear_error();
        errno = 0;
        const int done = SSL_connect(session_.get());
        if (done == 1) return {};
        const short events = lacking(done);
        if (events == 0) return std::unexpected(tls_failure(session_.get()));
        if (Opened waited = wait(events, deadline); !waited) {
            return std::unexpected("TLS: " + waited.error());
        }
    }
}

Opened Stream::wait(short events, const Deadline& deadline) const {
    pollfd watched{.fd = descriptor_, .events = events, .revents = 0};
    while (true) {
        const auto left = deadline.left();
        const int ready = ::poll(&watched, 1, static_cast<int>(left.count()));
        if (ready > 0) return {};
        if (ready < 0 && errno != EINTR) return system_failure(errno);
        if (ready == 0 && deadline.left().count() == 0) {
            return std::unexpected("no answer in time");
        }
    }
}

short Stream::lacking(int returned) const {
    switch (SSL_get_error(session_.get(), returned)) {
        case SSL_ERROR_WANT_READ: return POLLIN;
        case SSL_ERROR_WANT_WRITE: return POLLOUT;
        default: return 0;
    }
}

Opened Stream::write(std::string_view bytes, const Deadline& deadline) {
    while (!bytes.empty()) {
        errno = 0;
        std::size_t sent = 0;
        short events = POLLOUT;
        if (session_ != nullptr) {
            ERR_clear_error();
            const int done = SSL_write_ex(session_.get(), bytes.data(), bytes.size(), &sent);
            if (done != 1) events = lacking(done);
            if (events == 0) return std::unexpected(tls_failure(session_.get()));
        } else {
            const ssize_t done = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (done < 0 && errno != EAGAIN && errno != EINTR) return system_failure(errno);
            if (done > 0) sent = static_cast<std::size_t>(done);
        }
        bytes.remove_prefix(sent);
        if (sent > 0) continue;
        if (Opened waited = wait(events, deadline); !waited) return waited;
    }
    return {};
}

std::expected<std::size_t, std::string> Stream::read(
    std::span<char> into, const Deadline& deadline
) {
    while (true) {
        errno = 0;
        short events = POLLIN;
        if (session_ != nullptr) {
            ERR_clear_error();
            std::size_t got = 0;
            const int done = SSL_read_ex(session_.get(), into.data(), into.size(), &got);
            if (done == 1) return got;
            events = lacking(done);
            if (events == 0) return std::unexpected(tls_failure(session_.get()));
        } else {
            const ssize_t done = ::recv(descriptor_, into.data(), into.size(), 0);
            if (done > 0) return static_cast<std::size_t>(done);
            if (done == 0) return std::unexpected("the server closed the connection");
            if (errno != EAGAIN && errno != EINTR) return system_failure(errno);
        }
        if (Opened waited = wait(events, deadline); !waited) {
            return std::unexpected(waited.error());
        }
    }
}

bool Stream::quiet() {
    char byte = 0;
    errno = 0;
    if (session_ == nullptr) {
        const ssize_t done = ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        return done < 0 && (errno == EAGAIN || errno == EINTR);
    }
    // Below TLS there may be bytes, of the session's own, that are no answer.
    ERR_clear_error();
    std::size_t got = 0;
    const int done = SSL_peek_ex(session_.get(), &byte, 1, &got);
    return done != 1 && lacking(done) != 0;
}

}  // namespace firstcome::redis
