// src/adapters/probe/remote.cpp - health indicators of things elsewhere: an HTTP answer, a TCP port
#include "adapters/probe/remote.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <atomic>
#include <utility>

namespace firstcome::probe {

using ports::Health;
using ports::HealthStatus;

namespace {

constexpr std::string_view tcp_scheme = "tcp://";

struct Cleanup {
    void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};

using Curl = std::unique_ptr<CURL, Cleanup>;

bool start_curl() {
    static const bool started = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    return started;
}

std::size_t drop_body(const char*, std::size_t, std::size_t size, void*) {
    return size;
}

class Remote final : public ports::HealthIndicator {
public:
    explicit Remote(RemoteOptions options) : options_(std::move(options)) {}

    [[nodiscard]] std::string_view name() const override { return options_.name; }

    [[nodiscard]] std::chrono::milliseconds deadline() const override { return options_.timeout; }

    [[nodiscard]] Health check() override;

    void cancel() override { cancelled_.store(true); }

private:
    [[nodiscard]] bool is_tcp() const { return options_.url.starts_with(tcp_scheme); }

    [[nodiscard]] Curl set_up(char* error);
    [[nodiscard]] Health judged(long status) const;

    static int ask_whether_to_go_on(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
        return static_cast<Remote*>(self)->cancelled_.load() ? 1 : 0;
    }

    const RemoteOptions options_;
    std::atomic<bool> cancelled_{false};
};

Curl Remote::set_up(char* error) {
    Curl curl{curl_easy_init()};
    if (curl == nullptr) return nullptr;
    bool good = true;
    const auto set = [&](CURLoption option, auto value) {
        good = good && curl_easy_setopt(curl.get(), option, value) == CURLE_OK;
    };
    // To connect and no more curl wants a scheme it knows; nothing of it is spoken.
    const std::string url =
        is_tcp() ? "http://" + options_.url.substr(tcp_scheme.size()) : options_.url;
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    if (is_tcp()) set(CURLOPT_CONNECT_ONLY, 1L);
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PROXY, "");
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.timeout.count()));
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
    set(CURLOPT_USERAGENT, "firstcome-health");
    set(CURLOPT_ERRORBUFFER, error);
    set(CURLOPT_WRITEFUNCTION, &drop_body);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &Remote::ask_whether_to_go_on);
    set(CURLOPT_XFERINFODATA, this);
    return good ? std::move(curl) : nullptr;
}

Health Remote::check() {
    char error[CURL_ERROR_SIZE] = {};
    const Curl curl = start_curl() ? set_up(error) : nullptr;
    if (curl == nullptr) {
        return ports::health_because(HealthStatus::unknown, "libcurl does not start");
    }
    const CURLcode result = curl_easy_perform(curl.get());
    if (result != CURLE_OK) {
        return ports::health_because(
            HealthStatus::down, error[0] != '\0' ? error : curl_easy_strerror(result)
        );
    }
    if (is_tcp()) return {.status = HealthStatus::up, .details = {}};
    long status = 0;
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
    return judged(status);
}

Health Remote::judged(long status) const {
    const bool any = options_.expected_status == 0;
    const bool good = any ? status >= 200 && status < 300 : status == options_.expected_status;
    if (good) {
        Health health{.status = HealthStatus::up, .details = {}};
        health.details.push_back({.name = "httpStatus", .value = std::int64_t{status}});
        return health;
    }
    const std::string wanted = any ? "a 2xx" : fmt::format("{}", options_.expected_status);
    return ports::health_because(
        HealthStatus::down, fmt::format("answered {}, not {}", status, wanted)
    );
}

}  // namespace

std::unique_ptr<ports::HealthIndicator> remote(RemoteOptions options) {
    return std::make_unique<Remote>(std::move(options));
}

}  // namespace firstcome::probe
