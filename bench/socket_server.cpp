// bench/socket_server.cpp - the machine's limit: epoll, a static 202, and as little HTTP as can be
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <span>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

// As many bytes as the real answer has.
constexpr std::string_view answer =
    "HTTP/1.1 202 Accepted\r\n"
    "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: 197\r\n"
    "X-Request-Id: 0123456789abcdef\r\n"
    "Location: /api/v1/orders/01936f5e-8c1a-7b3e-9d2f-4a5b6c7d8e9f\r\n"
    "\r\n"
    R"({"orderId":"01936f5e-8c1a-7b3e-9d2f-4a5b6c7d8e9f","userId":123456,"itemId":"item-1",)"
    R"("quantity":1,"status":"processing","sequence":123456,)"
    R"("acceptedAt":"2026-01-01T00:00:00.000Z","durability":"disk"})";

constexpr std::size_t buffer_size = 16384;

struct Connection {
    int socket = -1;
    std::size_t size = 0;
    std::array<char, buffer_size> bytes;
};

/// Bytes of the first complete message; 0: none yet.
std::size_t message_size(std::string_view bytes) {
    const auto end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) return 0;
    std::size_t length = 0;
    const auto field = bytes.substr(0, end).find("Content-Length: ");
    if (field != std::string_view::npos) {
        std::from_chars(bytes.data() + field + 16, bytes.data() + end, length);
    }
    const std::size_t size = end + 4 + length;
    return size <= bytes.size() ? size : 0;
}

/// False: the connection is over.
bool serve(Connection& connection, std::string& out) {
    const auto got = ::recv(
        connection.socket,
        connection.bytes.data() + connection.size,
        buffer_size - connection.size,
        MSG_DONTWAIT
    );
    if (got <= 0) return false;
    connection.size += static_cast<std::size_t>(got);
    out.clear();
    std::string_view rest{connection.bytes.data(), connection.size};
    for (std::size_t size = message_size(rest); size > 0; size = message_size(rest)) {
        out += answer;
        rest.remove_prefix(size);
    }
    std::memmove(connection.bytes.data(), rest.data(), rest.size());
    connection.size = rest.size();
    if (out.empty()) return connection.size < buffer_size;
    const auto sent = ::send(connection.socket, out.data(), out.size(), MSG_NOSIGNAL);
    return sent == static_cast<ssize_t>(out.size());
}

void accept_into(int epoll, int listening) {
    const int socket = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) return;
    auto connection = std::make_unique<Connection>();
    connection->socket = socket;
    epoll_event event{.events = EPOLLIN, .data = {.ptr = connection.release()}};
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event);
}

void run(sockaddr_in address) {
    const int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    ::setsockopt(listening, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    ::setsockopt(listening, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (::bind(listening, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
        ::listen(listening, 1024) != 0) {
        std::perror("socket_server");
        std::_Exit(EXIT_FAILURE);
    }
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event accepting{.events = EPOLLIN, .data = {.ptr = nullptr}};
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, listening, &accepting);
    std::array<epoll_event, 128> events;
    std::string out;
    while (true) {
        const int count = ::epoll_wait(epoll, events.data(), events.size(), -1);
        for (int i = 0; i < count; ++i) {
            auto* connection =
                static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
            if (connection == nullptr) {
                accept_into(epoll, listening);
            } else if (!serve(*connection, out)) {
                ::close(connection->socket);
                delete connection;
            }
        }
    }
}

}  // namespace

int main(int count, char** words) {
    const std::span<char*> arguments{words, static_cast<std::size_t>(count)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(8091);
    unsigned threads = 1;
    for (std::size_t i = 1; i + 1 < arguments.size(); i += 2) {
        const std::string_view name = arguments[i];
        const std::string value = arguments[i + 1];
        if (name == "--threads") threads = static_cast<unsigned>(std::stoul(value));
        if (name != "--listen") continue;
        const auto colon = value.rfind(':');
        ::inet_pton(AF_INET, value.substr(0, colon).c_str(), &address.sin_addr);
        address.sin_port = htons(static_cast<std::uint16_t>(std::stoul(value.substr(colon + 1))));
    }
    std::vector<std::thread> running;
    for (unsigned i = 1; i < threads; ++i) running.emplace_back(run, address);
    run(address);
}
