// src/cli/bench_client.cpp - a blocking HTTP client for a handful of calls
#include "cli/bench_client.hpp"

#include "cli/bench_answer.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <iterator>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace firstcome::cli {

namespace {

constexpr timeval answer_timeout{.tv_sec = 10, .tv_usec = 0};
constexpr int retry_ms = 50;

std::string reason(int error) {
    return std::generic_category().message(error);
}

std::string dropped(int error) {
    return error == EAGAIN ? "no answer within 10 s"
                           : fmt::format("connection lost: {}", reason(error));
}

}  // namespace

std::expected<Endpoint, std::string> endpoint_from(std::string_view text) {
    if (text.starts_with("http://")) text.remove_prefix(7);
    while (text.ends_with('/')) text.remove_suffix(1);
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size()) {
        return std::unexpected(fmt::format("\"{}\" is no server: write host:port", text));
    }
    const std::string host{text.substr(0, colon)};
    const std::string port{text.substr(colon + 1)};
    addrinfo wanted{};
    wanted.ai_flags = AI_NUMERICSERV;
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int error = ::getaddrinfo(host.c_str(), port.c_str(), &wanted, &found); error != 0) {
        return std::unexpected(fmt::format("cannot find {}: {}", text, ::gai_strerror(error)));
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner{found, &::freeaddrinfo};
    Endpoint endpoint{.size = found->ai_addrlen, .name = std::string{text}};
    std::memcpy(&endpoint.address, found->ai_addr, found->ai_addrlen);
    return endpoint;
}

BenchClient::~BenchClient() {
    disconnect();
}

void BenchClient::disconnect() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
}

std::string BenchClient::refused(int error) const {
    if (error == ECONNREFUSED) {
        return fmt::format(
            "nothing listens at {}: start one with `firstcome serve`, or name another with "
            "--server",
            endpoint_.name
        );
    }
    return fmt::format("cannot connect to {}: {}", endpoint_.name, reason(error));
}

std::expected<void, std::string> BenchClient::open() {
    if (socket_ >= 0) return {};
    socket_ = ::socket(endpoint_.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_ < 0) return std::unexpected(refused(errno));
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &answer_timeout, sizeof(answer_timeout));
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &answer_timeout, sizeof(answer_timeout));
    const auto* address = reinterpret_cast<const sockaddr*>(&endpoint_.address);
    if (::connect(socket_, address, endpoint_.size) != 0) {
        const int error = errno;
        disconnect();
        return std::unexpected(refused(error));
    }
    return {};
}

std::expected<void, std::string> BenchClient::connect() {
    const base::MonotonicTime until = clock_.monotonic() + patience_;
    for (;;) {
        auto opened = open();
        if (opened || clock_.monotonic() >= until) return opened;
        ::poll(nullptr, 0, retry_ms);
    }
}

std::expected<Reply, std::string> BenchClient::get(std::string_view path) {
    const std::string paths[]{std::string{path}};
    auto replies = get_all(paths);
    if (!replies) return std::unexpected(std::move(replies.error()));
    return std::move(replies->front());
}

std::expected<Reply, std::string> BenchClient::post(
    std::string_view path, std::string_view token, std::string_view body
) {
    const std::string bytes = fmt::format(
        "POST {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n"
        "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
        path,
        endpoint_.name,
        token,
        body.size(),
        body
    );
    auto replies = call(bytes, 1);
    if (!replies) return std::unexpected(std::move(replies.error()));
    return std::move(replies->front());
}

std::expected<std::vector<Reply>, std::string> BenchClient::get_all(
    std::span<const std::string> paths
) {
    std::string bytes;
    for (const std::string& path : paths) {
        fmt::format_to(
            std::back_inserter(bytes), "GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", path, endpoint_.name
        );
    }
    return call(bytes, paths.size());
}

std::expected<std::vector<Reply>, std::string> BenchClient::call(
    std::string_view bytes, std::size_t replies
) {
    const base::MonotonicTime until = clock_.monotonic() + patience_;
    // A kept connection may have been closed meanwhile: that is worth one more try in any case.
    bool kept = socket_ >= 0;
    for (;;) {
        auto result = try_call(bytes, replies);
        if (result) return result;
        disconnect();
        if (!std::exchange(kept, false) && clock_.monotonic() >= until) return result;
        if (patience_.count() > 0) ::poll(nullptr, 0, retry_ms);
    }
}

std::expected<std::vector<Reply>, std::string> BenchClient::try_call(
    std::string_view bytes, std::size_t replies
) {
    if (auto opened = open(); !opened) return std::unexpected(opened.error());
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0) return std::unexpected(dropped(errno));
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    std::vector<Reply> result;
    std::string unread;
    char block[16 * 1024];
    while (result.size() < replies) {
        const auto answer = answer_at_front(unread);
        if (!answer) return std::unexpected("the server's answer is not HTTP/1.1 with a length");
        if (*answer) {
            result.push_back({.status = (*answer)->status, .body = std::string{(*answer)->body}});
            unread.erase(0, (*answer)->size);
            if ((*answer)->closes) disconnect();
            continue;
        }
        if (socket_ < 0) return std::unexpected("the server closed the connection");
        const ssize_t got = ::recv(socket_, block, sizeof(block), 0);
        if (got < 0) return std::unexpected(dropped(errno));
        if (got == 0) return std::unexpected("the server closed the connection");
        unread.append(block, static_cast<std::size_t>(got));
    }
    return result;
}

}  // namespace firstcome::cli
