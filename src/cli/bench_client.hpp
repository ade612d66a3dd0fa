// src/cli/bench_client.hpp - blocking calls around the load: stock, orders
#pragma once

#include "base/time.hpp"

#include <chrono>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <vector>

namespace firstcome::cli {

struct Endpoint {
    sockaddr_storage address{};
    socklen_t size = 0;
    std::string name;  ///< host:port, for Host fields and messages
};

/// Reads "host:port" or "http://host:port".
///
/// Errors   a sentence for the user
[[nodiscard]] std::expected<Endpoint, std::string> endpoint_from(std::string_view text);

struct Reply {
    int status = 0;
    std::string body;
};

/// One kept connection, opened when needed.
///
/// Errors   a sentence that says what to do; nothing is known then about what the server did
/// Thread   one
class BenchClient {
public:
    /// Goes on trying for `patience` when the server is away; zero: gives up at once.
    BenchClient(Endpoint endpoint, std::chrono::nanoseconds patience)
        : endpoint_(std::move(endpoint)), patience_(patience) {}

    BenchClient(const BenchClient&) = delete;
    BenchClient& operator=(const BenchClient&) = delete;
    ~BenchClient();

    [[nodiscard]] std::expected<void, std::string> connect();

    [[nodiscard]] std::expected<Reply, std::string> get(std::string_view path);
    [[nodiscard]] std::expected<Reply, std::string> post(
        std::string_view path, std::string_view token, std::string_view body
    );
    /// Pipelined; the replies stand in the order of the paths. For safe methods only: a broken
    /// connection repeats all of them.
    [[nodiscard]] std::expected<std::vector<Reply>, std::string> get_all(
        std::span<const std::string> paths
    );

private:
    [[nodiscard]] std::expected<void, std::string> open();
    [[nodiscard]] std::expected<std::vector<Reply>, std::string> call(
        std::string_view bytes, std::size_t replies
    );
    [[nodiscard]] std::expected<std::vector<Reply>, std::string> try_call(
        std::string_view bytes, std::size_t replies
    );
    [[nodiscard]] std::string refused(int error) const;
    void disconnect();

    Endpoint endpoint_;
    std::chrono::nanoseconds patience_;
    base::SystemClock clock_;
    int socket_ = -1;
};

}  // namespace firstcome::cli
