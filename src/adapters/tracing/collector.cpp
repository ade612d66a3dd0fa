// src/adapters/tracing/collector.cpp - posts encoded spans to a collector's address
#include "adapters/tracing/collector.hpp"

#include <algorithm>
#include <utility>

namespace firstcome::tracing {

namespace {

// A collector may move to another address; a connection that never ends would not notice.
constexpr long connection_seconds_max = 300;

bool start_curl() {
    static const bool started = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    return started;
}

}  // namespace

std::expected<std::unique_ptr<Collector>, std::string> Collector::open(
    Options options, const base::Clock& clock
) {
    if (!start_curl()) return std::unexpected("libcurl does not start");
    std::unique_ptr<Collector> collector{new Collector(std::move(options), clock)};
    if (!collector->set_up()) {
        return std::unexpected("tracing.endpoint or tracing.headers: libcurl does not take them");
    }
    return collector;
}

bool Collector::add_header(const std::string& line) {
    curl_slist* longer = curl_slist_append(headers_.get(), line.c_str());
    if (longer == nullptr) return false;
    // The first append makes the list, later ones give the same head again.
    (void)headers_.release();
    headers_.reset(longer);
    return true;
}

bool Collector::set_up() {
    curl_.reset(curl_easy_init());
    if (curl_ == nullptr) return false;
    // No "Expect: 100-continue": it would cost a round trip.
    bool good = add_header("Content-Type: " + options_.content_type) && add_header("Expect:");
    for (const std::string& header : options_.headers) good = good && add_header(header);
    const auto set = [this, &good](CURLoption option, auto value) {
        good = good && curl_easy_setopt(curl_.get(), option, value) == CURLE_OK;
    };
    set(CURLOPT_URL, options_.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
    set(CURLOPT_HTTPHEADER, headers_.get());
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PROXY, "");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
    set(CURLOPT_MAXLIFETIME_CONN, connection_seconds_max);
    if (!options_.ca_file.empty()) {
        set(CURLOPT_CAINFO, options_.ca_file.c_str());
        set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));  // else the system's count too
    }
    set(CURLOPT_USERAGENT, "firstcome");
    set(CURLOPT_POST, 1L);
    set(CURLOPT_ERRORBUFFER, static_cast<char*>(error_));
    set(CURLOPT_WRITEFUNCTION, &Collector::take_body);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &Collector::ask_whether_to_go_on);
    set(CURLOPT_XFERINFODATA, this);
    return good;
}

// The rest of a long answer is read over, so that the connection can be used again.
std::size_t Collector::take_body(const char* bytes, std::size_t, std::size_t size, void* self) {
    std::string& body = static_cast<Collector*>(self)->reply_.body;
    body.append(bytes, std::min(size, reply_bytes_max - body.size()));
    return size;
}

int Collector::ask_whether_to_go_on(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Collector*>(self)->has_given_up() ? 1 : 0;
}

std::expected<CollectorReply, std::string> Collector::post(std::string_view body) {
    if (has_given_up()) return std::unexpected("no time is left");
    curl_easy_setopt(curl_.get(), CURLOPT_POSTFIELDS, body.data());
    curl_easy_setopt(
        curl_.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size())
    );
    reply_ = {};
    error_[0] = '\0';
    const CURLcode result = curl_easy_perform(curl_.get());
    curl_easy_setopt(curl_.get(), CURLOPT_POSTFIELDS, nullptr);
    if (result == CURLE_ABORTED_BY_CALLBACK) return std::unexpected("no time is left");
    if (result != CURLE_OK) {
        return std::unexpected(error_[0] != '\0' ? error_ : curl_easy_strerror(result));
    }
    curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &reply_.status);
    curl_off_t seconds = 0;
    curl_easy_getinfo(curl_.get(), CURLINFO_RETRY_AFTER, &seconds);
    reply_.retry_after = std::chrono::seconds{seconds};
    return std::exchange(reply_, {});
}

}  // namespace firstcome::tracing
