// tests/support/webhook_receiver.hpp - a real HTTP server that remembers and answers as told
#pragma once

#include <algorithm>
#include <arpa/inet.h>
#include <cctype>
#include <charconv>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <netinet/in.h>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace firstcome::test {

struct ReceivedRequest {
    std::string line;                            ///< `POST /events HTTP/1.1`
    std::map<std::string, std::string> headers;  ///< names in lower case
    std::string body;
    int connection = 0;  ///< 1: the first one
};

struct WebhookAnswer {
    enum class Kind { whole, half, silence };
    int status = 200;
    std::string headers = {};  ///< lines, each with its `\r\n`
    std::string body = {};
    Kind kind = Kind::whole;  ///< half: closes within the body; silence: until the other hangs up
};

/// Listens on 127.0.0.1, one connection at a time; 200 unless told otherwise.
class WebhookReceiver {
public:
    WebhookReceiver() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        auto* name = reinterpret_cast<sockaddr*>(&address);
        socklen_t size = sizeof(address);
        if (::bind(listener_, name, size) != 0 || ::listen(listener_, 16) != 0 ||
            ::getsockname(listener_, name, &size) != 0) {
            std::abort();
        }
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { run(); });
    }

    ~WebhookReceiver() {
        {
            const std::lock_guard lock{mutex_};
            closing_ = true;
            ::shutdown(listener_, SHUT_RDWR);
            if (open_ >= 0) ::shutdown(open_, SHUT_RDWR);
        }
        thread_.join();
        ::close(listener_);
    }

    WebhookReceiver(const WebhookReceiver&) = delete;
    WebhookReceiver& operator=(const WebhookReceiver&) = delete;

    [[nodiscard]] std::string url(std::string_view host = "127.0.0.1") const {
        return "http://" + std::string(host) + ":" + std::to_string(port_) + "/events?token=hush";
    }

    /// The next request that has no answer yet gets this one.
    void answer(WebhookAnswer answer) {
        const std::lock_guard lock{mutex_};
        answers_.push_back(std::move(answer));
    }

    /// Until so many requests have come.
    void wait_for(std::size_t count) {
        std::unique_lock lock{mutex_};
        came_.wait(lock, [&] { return requests_.size() >= count; });
    }

    [[nodiscard]] std::vector<ReceivedRequest> requests() const {
        const std::lock_guard lock{mutex_};
        return requests_;
    }

private:
    void run() {
        for (int number = 1;; ++number) {
            const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (connection < 0) return;
            if (!remember(connection)) {
                ::close(connection);
                return;
            }
            std::string waiting;
            while (auto request = read(connection, waiting)) {
                request->connection = number;
                if (!reply(connection, next_answer(*std::move(request)))) break;
            }
            const std::lock_guard lock{mutex_};
            open_ = -1;
            ::close(connection);
        }
    }

    bool remember(int connection) {
        const std::lock_guard lock{mutex_};
        open_ = connection;
        return !closing_;
    }

    static bool read_more(int connection, std::string& waiting) {
        char bytes[4096];
        const ssize_t size = ::recv(connection, bytes, sizeof(bytes), 0);
        if (size <= 0) return false;
        waiting.append(bytes, static_cast<std::size_t>(size));
        return true;
    }

    static std::optional<ReceivedRequest> read(int connection, std::string& waiting) {
        std::size_t end = 0;
        while ((end = waiting.find("\r\n\r\n")) == std::string::npos) {
            if (!read_more(connection, waiting)) return std::nullopt;
        }
        ReceivedRequest request;
        std::string_view head = std::string_view(waiting).substr(0, end);
        const auto take_line = [&head] {
            const std::size_t at = std::min(head.find("\r\n"), head.size());
            const std::string_view line = head.substr(0, at);
            head.remove_prefix(std::min(at + 2, head.size()));
            return line;
        };
        request.line = take_line();
        while (!head.empty()) {
            const std::string_view line = take_line();
            const std::size_t colon = line.find(": ");
            if (colon == std::string_view::npos) return std::nullopt;
            std::string name;
            for (const char c : line.substr(0, colon)) {
                name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
            }
            request.headers[name] = line.substr(colon + 2);
        }
        const std::string& length = request.headers["content-length"];
        std::size_t size = 0;
        std::from_chars(length.data(), length.data() + length.size(), size);
        while (waiting.size() < end + 4 + size) {
            if (!read_more(connection, waiting)) return std::nullopt;
        }
        request.body = waiting.substr(end + 4, size);
        waiting.erase(0, end + 4 + size);
        return request;
    }

    WebhookAnswer next_answer(ReceivedRequest request) {
        const std::lock_guard lock{mutex_};
        requests_.push_back(std::move(request));
        came_.notify_all();
        if (answers_.empty()) return {};
        WebhookAnswer answer = std::move(answers_.front());
        answers_.pop_front();
        return answer;
    }

    // False: the connection is to be closed.
    static bool reply(int connection, const WebhookAnswer& answer) {
        if (answer.kind == WebhookAnswer::Kind::silence) {
            char byte = 0;
            (void)::recv(connection, &byte, 1, 0);
            return false;
        }
        const bool half = answer.kind == WebhookAnswer::Kind::half;
        std::string text = "HTTP/1.1 " + std::to_string(answer.status) + " Told\r\n" +
                           answer.headers +
                           "Content-Length: " + std::to_string(answer.body.size()) + "\r\n\r\n" +
                           answer.body.substr(0, half ? answer.body.size() / 2 : std::string::npos);
        const ssize_t sent = ::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
        return sent == static_cast<ssize_t>(text.size()) && !half;
    }

    int listener_;
    std::uint16_t port_ = 0;
    mutable std::mutex mutex_;
    std::condition_variable came_;
    bool closing_ = false;
    int open_ = -1;
    std::deque<WebhookAnswer> answers_;
    std::vector<ReceivedRequest> requests_;
    std::thread thread_;
};

}  // namespace firstcome::test
