// src/adapters/tracing/collector.hpp - posts encoded spans to a collector's address
#pragma once

#include "base/time.hpp"

#include <curl/curl.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::tracing {

struct CollectorReply {
    long status = 0;
    std::string body;                     ///< its first 4 KiB
    std::chrono::seconds retry_after{0};  ///< as asked for; 0: not
};

/// One connection that is kept open. Follows no redirect, uses no proxy, checks TLS certificates
/// against the system's authorities, or those of one file.
///
/// Errors   why there is no whole answer, in words
/// Thread   one at a time; `give_up_at` any
class Collector {
public:
    struct Options {
        std::string url;
        std::string content_type;
        std::vector<std::string> headers;           ///< `name: value`, without line ends
        std::string ca_file{};                      ///< PEM; empty: the system's authorities
        std::chrono::milliseconds timeout{10'000};  ///< of a whole request, with its connect
    };

    /// `clock` outlives the collector.
    ///
    /// Errors   a sentence for the operator
    [[nodiscard]] static std::expected<std::unique_ptr<Collector>, std::string> open(
        Options options, const base::Clock& clock
    );

    Collector(const Collector&) = delete;
    Collector& operator=(const Collector&) = delete;
    ~Collector() = default;

    [[nodiscard]] std::expected<CollectorReply, std::string> post(std::string_view body);

    /// Ends a request at hand then, or within a second after, and any later one.
    void give_up_at(base::MonotonicTime time) {
        give_up_ns_.store(time.time_since_epoch().count(), std::memory_order_relaxed);
    }

    [[nodiscard]] bool has_given_up() const {
        return clock_.monotonic().time_since_epoch().count() >=
               give_up_ns_.load(std::memory_order_relaxed);
    }

private:
    static constexpr std::size_t reply_bytes_max = 4096;

    struct CleanUp {
        void operator()(CURL* curl) const { curl_easy_cleanup(curl); }

        void operator()(curl_slist* list) const { curl_slist_free_all(list); }
    };

    Collector(Options options, const base::Clock& clock)
        : options_(std::move(options)), clock_(clock) {}

    [[nodiscard]] bool set_up();
    [[nodiscard]] bool add_header(const std::string& line);
    static std::size_t take_body(const char* bytes, std::size_t, std::size_t size, void* self);
    static int ask_whether_to_go_on(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t);

    Options options_;
    const base::Clock& clock_;  // outlives
    std::unique_ptr<curl_slist, CleanUp> headers_;
    std::unique_ptr<CURL, CleanUp> curl_;
    std::atomic<std::int64_t> give_up_ns_{base::MonotonicTime::max().time_since_epoch().count()};
    CollectorReply reply_;  // of the request at hand
    char error_[CURL_ERROR_SIZE] = {};
};

}  // namespace firstcome::tracing
