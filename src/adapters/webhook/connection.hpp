// src/adapters/webhook/connection.hpp - posts to one URL over one connection that is kept open
#pragma once

#include <curl/curl.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace firstcome::webhook {

struct Reply {
    long status = 0;
    std::string body;                     ///< its first 4 KiB
    std::chrono::seconds retry_after{0};  ///< as asked for; 0: not
};

/// HTTP/1.1, one request at a time. Follows no redirect, uses no proxy, checks TLS certificates
/// against the system's authorities.
///
/// Errors   why there is no whole answer, without the URL's path
/// Thread   one at a time; `stop` any
class Connection {
public:
    struct Options {
        std::string url;  ///< good by check_url
        std::chrono::milliseconds connect_timeout{};
        std::chrono::milliseconds timeout{};  ///< of a whole request, with its connect
        bool allow_private = false;  ///< else an address is looked at before it is connected to
    };

    [[nodiscard]] static std::expected<std::unique_ptr<Connection>, std::string> open(
        Options options
    );

    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() = default;

    /// `headers` as `name: value`; the content type is JSON.
    [[nodiscard]] std::expected<Reply, std::string> post(
        std::span<const std::string> headers, std::string_view body
    );

    /// Ends the request at hand, within a second, and all later ones.
    void stop() { stopped_.store(true, std::memory_order_relaxed); }

    [[nodiscard]] bool stopped() const { return stopped_.load(std::memory_order_relaxed); }

private:
    static constexpr std::size_t reply_bytes_max = 4096;

    struct Cleanup {
        void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
    };

    explicit Connection(Options options) : options_(std::move(options)) {}

    [[nodiscard]] bool set_up();
    static std::size_t take_body(const char* bytes, std::size_t, std::size_t size, void* self);
    static int ask_whether_to_go_on(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t);
    static curl_socket_t open_socket(void* self, curlsocktype, curl_sockaddr* address);

    Options options_;
    std::unique_ptr<CURL, Cleanup> curl_;
    std::atomic<bool> stopped_{false};
    Reply reply_;          // of the request at hand
    bool cut_ = false;     // we stopped reading a long body
    std::string refused_;  // the private address it would have connected to
    char error_[CURL_ERROR_SIZE] = {};
};

}  // namespace firstcome::webhook
