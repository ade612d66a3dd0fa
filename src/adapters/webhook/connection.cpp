// src/adapters/webhook/connection.cpp - posts to one URL over one connection that is kept open
#include "adapters/webhook/connection.hpp"

#include "adapters/webhook/address.hpp"
#include "base/assert.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sys/socket.h>
#include <utility>

namespace firstcome::webhook {

namespace {

// A receiver may move to another address; a connection that never ends would not notice.
constexpr long connection_seconds_max = 300;

bool start_curl() {
    static const bool started = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    return started;
}

using Headers = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

bool add(Headers& list, const std::string& header) {
    curl_slist* longer = curl_slist_append(list.get(), header.c_str());
    if (longer == nullptr) return false;
    // The first append makes the list, later ones give the same head again.
    (void)list.release();
    list.reset(longer);
    return true;
}

}  // namespace

std::expected<std::unique_ptr<Connection>, std::string> Connection::open(Options options) {
    if (!start_curl()) return std::unexpected("libcurl does not start");
    std::unique_ptr<Connection> connection{new Connection(std::move(options))};
    if (!connection->set_up()) {
        return std::unexpected("this libcurl lacks something that webhooks need");
    }
    return connection;
}

bool Connection::set_up() {
    curl_.reset(curl_easy_init());
    if (curl_ == nullptr) return false;
    bool good = true;
    const auto set = [this, &good](CURLoption option, auto value) {
        good = good && curl_easy_setopt(curl_.get(), option, value) == CURLE_OK;
    };
    set(CURLOPT_URL, options_.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
    set(CURLOPT_FOLLOWLOCATION, 0L);
    // The address check would look at the proxy's address, not at the receiver's.
    set(CURLOPT_PROXY, "");
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
    set(CURLOPT_MAXLIFETIME_CONN, connection_seconds_max);
    set(CURLOPT_USERAGENT, "firstcome");
    set(CURLOPT_POST, 1L);
    set(CURLOPT_ERRORBUFFER, static_cast<char*>(error_));
    set(CURLOPT_WRITEFUNCTION, &Connection::take_body);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &Connection::ask_whether_to_go_on);
    set(CURLOPT_XFERINFODATA, this);
    set(CURLOPT_OPENSOCKETFUNCTION, &Connection::open_socket);
    set(CURLOPT_OPENSOCKETDATA, this);
    return good;
}

std::size_t Connection::take_body(
    const char* bytes, std::size_t, std::size_t size, void* connection
) {
    auto& self = *static_cast<Connection*>(connection);
    std::string& body = self.reply_.body;
    const std::size_t wanted = std::min(size, reply_bytes_max - body.size());
    body.append(bytes, wanted);
    self.cut_ = wanted < size;
    return wanted;  // fewer than there are: curl ends the transfer
}

int Connection::ask_whether_to_go_on(
    void* connection, curl_off_t, curl_off_t, curl_off_t, curl_off_t
) {
    return static_cast<Connection*>(connection)->stopped() ? 1 : 0;
}

curl_socket_t Connection::open_socket(void* connection, curlsocktype, curl_sockaddr* address) {
    auto& self = *static_cast<Connection*>(connection);
    if (!self.options_.allow_private && !is_public(address->addr)) {
        self.refused_ = text_of(address->addr);
        return CURL_SOCKET_BAD;
    }
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::expected<Reply, std::string> Connection::post(
    std::span<const std::string> headers, std::string_view body
) {
    if (stopped()) return std::unexpected("stopped");
    Headers list{nullptr, &curl_slist_free_all};
    // No "Expect: 100-continue": it would cost a round trip.
    bool good = add(list, "Content-Type: application/json") && add(list, "Expect:");
    for (const std::string& header : headers) good = good && add(list, header);
    FC_ASSERT(good);
    curl_easy_setopt(curl_.get(), CURLOPT_HTTPHEADER, list.get());
    curl_easy_setopt(curl_.get(), CURLOPT_POSTFIELDS, body.data());
    curl_easy_setopt(
        curl_.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size())
    );
    reply_ = {};
    cut_ = false;
    refused_.clear();
    error_[0] = '\0';
    const CURLcode result = curl_easy_perform(curl_.get());
    curl_easy_setopt(curl_.get(), CURLOPT_HTTPHEADER, nullptr);
    curl_easy_setopt(curl_.get(), CURLOPT_POSTFIELDS, nullptr);

    if (result != CURLE_OK && !cut_) {
        if (stopped()) return std::unexpected("stopped");
        if (!refused_.empty()) {
            return std::unexpected(fmt::format(
                "{} is not on the public internet: set webhook.allow_private = true if the receiver"
                " is really there",
                refused_
            ));
        }
        return std::unexpected(error_[0] != '\0' ? error_ : curl_easy_strerror(result));
    }
    curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &reply_.status);
    curl_off_t seconds = 0;
    curl_easy_getinfo(curl_.get(), CURLINFO_RETRY_AFTER, &seconds);
    reply_.retry_after = std::chrono::seconds{seconds};
    return std::exchange(reply_, {});
}

}  // namespace firstcome::webhook
