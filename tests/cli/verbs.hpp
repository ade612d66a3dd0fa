// tests/cli/verbs.hpp - runs a verb against a server of one answer, and keeps what was said
#pragma once

#include "cli/cli.hpp"
#include "tests/support/temp_dir.hpp"

#include <CLI/CLI.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <arpa/inet.h>
#include <fstream>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace firstcome::cli {

/// Listens on a free port; answers the first request with `answer`, and keeps it.
class OneAnswer {
public:
    explicit OneAnswer(std::string answer) : answer_(std::move(answer)) {
        listener_ = socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        auto* any = reinterpret_cast<sockaddr*>(&address);
        EXPECT_EQ(bind(listener_, any, size), 0);
        EXPECT_EQ(listen(listener_, 1), 0);
        EXPECT_EQ(getsockname(listener_, any, &size), 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread{[this] { serve(); }};
    }

    ~OneAnswer() { finish(); }

    [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

    /// The request as it came; empty: none came.
    [[nodiscard]] const std::string& request() {
        finish();
        return request_;
    }

private:
    void finish() {
        if (!thread_.joinable()) return;
        shutdown(listener_, SHUT_RDWR);  // wakes accept when nobody called
        thread_.join();
        close(listener_);
    }

    void serve() {
        const int peer = accept(listener_, nullptr, nullptr);
        if (peer < 0) return;
        char bytes[4096];
        while (!is_whole()) {
            const auto got = read(peer, bytes, sizeof bytes);
            if (got <= 0) break;
            request_.append(bytes, static_cast<std::size_t>(got));
        }
        EXPECT_EQ(write(peer, answer_.data(), answer_.size()), std::ssize(answer_));
        close(peer);
    }

    [[nodiscard]] bool is_whole() const {
        const auto end = request_.find("\r\n\r\n");
        if (end == std::string::npos) return false;
        const auto length = request_.find("Content-Length: ");
        const auto body =
            length == std::string::npos ? 0 : std::stoul(request_.substr(length + 16));
        return request_.size() >= end + 4 + body;
    }

    std::string answer_;
    std::string request_;
    int listener_ = -1;
    int port_ = 0;
    std::thread thread_;
};

inline std::string http(int status, const std::string& body) {
    return "HTTP/1.1 " + std::to_string(status) +
           " X\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\nConnection: close\r\n\r\n" + body;
}

class Verbs : public testing::Test {
protected:
    struct Ended {
        int code;
        std::string out;
        std::string err;
    };

    Verbs() { std::ofstream{directory_.path() / "admin.token"} << "s3cret\n"; }

    Ended run(std::vector<std::string> words) {
        CLI::App app;
        int code = -1;
        add_print_config(app, code);
        add_check_config(app, code);
        add_stock(app, code);
        add_stats(app, code);
        add_dlq(app, code);
        add_healthcheck(app, code);
        testing::internal::CaptureStdout();
        testing::internal::CaptureStderr();
        std::ranges::reverse(words);  // as CLI11 wants them
        try {
            app.parse(words);
        } catch (const CLI::ParseError&) {
            code = usage;  // as main does
        }
        return {
            code, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
    }

    /// With the flags that name the server and the data directory.
    Ended run_at(const std::string& address, std::vector<std::string> words) {
        for (const auto& word :
             {std::string{"--listen"},
              address,
              std::string{"--data"},
              directory_.path().string()}) {
            words.push_back(word);
        }
        return run(std::move(words));
    }

    test::TempDir directory_;
};

}  // namespace firstcome::cli
