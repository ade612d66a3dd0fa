// src/cli/api_client.cpp - libcurl, the token, and problem+json as a sentence
#include "cli/api_client.hpp"

#include "base/control_characters.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <curl/curl.h>
#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <memory>

namespace firstcome::cli {

namespace {

constexpr std::size_t answer_bytes_max = 64 * 1024 * 1024;

struct Target {
    std::string url;
    std::string token;
};

std::string url_of(std::string_view scheme, config::Endpoint endpoint) {
    // An address that means "all of mine" is no address to call.
    if (endpoint.host == "0.0.0.0") endpoint.host = "127.0.0.1";
    if (endpoint.host == "::") endpoint.host = "::1";
    return fmt::format("{}://{}", scheme, endpoint.text());
}

std::string server_url(const config::Config& config, const ApiCall& call) {
    const auto probes = config::Endpoint::from(config.health.listen);
    if (call.probe && probes) return url_of("http", *probes);  // never has TLS
    const auto apart = config::Endpoint::from(config.admin.listen);
    const std::string_view scheme = config.has_tls() ? "https" : "http";
    return url_of(scheme, call.admin && apart ? *apart : config.server.listen);
}

std::expected<std::string, ExitCode> read_token(const std::string& path) {
    std::ifstream in{path};
    std::string token;
    if (!(in >> token)) {
        fmt::print(
            stderr,
            "firstcome: cannot read the admin token {}. The server makes it at its first start; "
            "name it with --token-file, or its directory with --data.\n",
            path
        );
        return std::unexpected(not_authorized);
    }
    return token;
}

std::expected<Target, ExitCode> find_target(const ApiFlags& flags, const ApiCall& call) {
    const auto loaded = load_config(flags.config);
    if (!loaded) return std::unexpected(usage);
    const std::string url = flags.url.empty() ? server_url(loaded->config, call) : flags.url;
    Target target{.url = url, .token = {}};
    while (target.url.ends_with('/')) target.url.pop_back();
    if (!call.admin) return target;
    const auto path =
        flags.token_file.empty() ? loaded->config.admin_token_file().string() : flags.token_file;
    auto token = read_token(path);
    if (!token) return std::unexpected(token.error());
    target.token = *std::move(token);
    return target;
}

struct HttpAnswer {
    CURLcode result = CURLE_OK;
    std::string failure;  // empty when result is CURLE_OK
    long status = 0;
    std::string body;
};

std::size_t take_body(const char* bytes, std::size_t, std::size_t size, void* to) {
    auto& body = *static_cast<std::string*>(to);
    if (body.size() + size > answer_bytes_max) return 0;  // curl then gives up
    body.append(bytes, size);
    return size;
}

using Curl = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using CurlHeaders = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

HttpAnswer send(const ApiFlags& flags, const Target& target, const ApiCall& call) {
    HttpAnswer answer;
    const Curl curl{curl_easy_init(), curl_easy_cleanup};
    std::array<char, CURL_ERROR_SIZE> why{};
    CurlHeaders headers{nullptr, curl_slist_free_all};
    const auto add_header = [&](const std::string& line) {
        headers.reset(curl_slist_append(headers.release(), line.c_str()));
    };
    add_header("Accept: application/json");
    if (!target.token.empty()) add_header("Authorization: Bearer " + target.token);
    if (!call.idempotency_key.empty()) add_header("Idempotency-Key: " + call.idempotency_key);
    if (!call.body.empty()) add_header("Content-Type: application/json");

    const std::string url = target.url + call.path;
    curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
    // A proxy named in the environment must not get to see the token.
    curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, static_cast<long>(flags.timeout_s));
    curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &take_body);
    curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer.body);
    curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, why.data());
    if (!flags.ca_file.empty()) {
        curl_easy_setopt(curl.get(), CURLOPT_CAINFO, flags.ca_file.c_str());
    }
    if (!flags.cert_file.empty()) {
        curl_easy_setopt(curl.get(), CURLOPT_SSLCERT, flags.cert_file.c_str());
        curl_easy_setopt(curl.get(), CURLOPT_SSLKEY, flags.key_file.c_str());
    }
    if (call.method == "POST") {
        curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(call.body.size()));
        curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, call.body.c_str());
    }
    if (call.method == "DELETE") curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, "DELETE");
    answer.result = curl_easy_perform(curl.get());
    if (answer.result != CURLE_OK) {
        answer.failure = why[0] != '\0' ? why.data() : curl_easy_strerror(answer.result);
    }
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &answer.status);
    return answer;
}

/// Whether the server may have acted on a call that got no whole answer.
bool may_have_arrived(CURLcode result) {
    return result != CURLE_COULDNT_CONNECT && result != CURLE_COULDNT_RESOLVE_HOST &&
           result != CURLE_URL_MALFORMAT && result != CURLE_UNSUPPORTED_PROTOCOL &&
           result != CURLE_PEER_FAILED_VERIFICATION && result != CURLE_SSL_CACERT_BADFILE;
}

void print_repeat_hint(const ApiCall& call) {
    if (call.idempotency_key.empty()) return;
    fmt::print(
        stderr,
        "firstcome: it is unknown whether the change was made. Repeat it with --key {}: it takes "
        "effect once.\n",
        call.idempotency_key
    );
}

/// Then nothing was read of what was sent. With TLS 1.3 the alert comes after the client's own end
/// of the handshake, and curl has but OpenSSL's words for it.
bool wants_certificate(const HttpAnswer& answer) {
    return answer.result == CURLE_SSL_CLIENTCERT ||
           answer.failure.find("alert certificate required") != std::string::npos;
}

ExitCode tell_no_answer(const Target& target, const ApiCall& call, const HttpAnswer& answer) {
    const std::string why = printable(answer.failure);
    if (answer.result == CURLE_SSL_CERTPROBLEM) {
        fmt::print(stderr, "firstcome: --cert-file and --key-file cannot be used: {}\n", why);
        return usage;
    }
    if (wants_certificate(answer)) {
        fmt::print(
            stderr,
            "firstcome: {} wants a client certificate: name one with --cert-file and --key-file\n",
            printable(target.url)
        );
        return not_authorized;
    }
    fmt::print(
        stderr,
        "firstcome: no answer from {}: {}. Is `firstcome serve` running there?\n",
        printable(target.url),
        why
    );
    if (may_have_arrived(answer.result)) print_repeat_hint(call);
    return unreachable;
}

std::string text_of(const boost::json::object& problem, std::string_view name) {
    const auto* member = problem.if_contains(name);
    const auto* text = member == nullptr ? nullptr : member->if_string();
    return text == nullptr ? std::string{} : printable(*text);
}

/// `409 below_committed: ... (trace 0af7...)`
std::string describe(const HttpAnswer& answer) {
    boost::system::error_code error;
    const auto parsed = boost::json::parse(answer.body, error);
    const auto* problem = error ? nullptr : parsed.if_object();
    if (problem == nullptr) {
        constexpr std::size_t shown_max = 200;
        return fmt::format("{} {}", answer.status, printable(answer.body.substr(0, shown_max)));
    }
    const std::string detail = text_of(*problem, "detail");
    std::string out = fmt::format(
        "{} {}: {}",
        answer.status,
        text_of(*problem, "code"),
        detail.empty() ? text_of(*problem, "title") : detail
    );
    if (const auto* errors = problem->if_contains("errors")) {
        out += " " + printable(boost::json::serialize(*errors));
    }
    const std::string trace = text_of(*problem, "traceId");
    return trace.empty() ? out : fmt::format("{} (trace {})", out, trace);
}

ExitCode exit_code_of(long status) {
    if (status == 401 || status == 403) return not_authorized;
    if (status >= 400 && status < 500) return refused;
    return failed;
}

}  // namespace

void add_api_flags(CLI::App& command, ApiFlags& flags) {
    add_config_flags(command, flags.config);
    command
        .add_option(
            "--url",
            flags.url,
            "The server; default: server.listen, of an admin route admin.listen where that is set"
        )
        ->type_name("URL");
    command
        .add_option("--token-file", flags.token_file, "The admin token; default: admin.token_file")
        ->type_name("FILE");
    command.add_option("--ca-file", flags.ca_file, "Who vouches for the server's certificate")
        ->type_name("FILE");
    auto* cert = command.add_option(
        "--cert-file", flags.cert_file, "A client certificate; admin.client_ca_file asks for one"
    );
    auto* key = command.add_option("--key-file", flags.key_file, "The client certificate's key");
    const CLI::Validator is_there = CLI::ExistingFile.description("");
    for (auto* file : {cert, key}) file->type_name("FILE")->check(is_there);
    cert->needs(key);
    key->needs(cert);
    command.add_option("--timeout", flags.timeout_s, "Seconds to wait for an answer")
        ->check(CLI::Range(1, 3600))
        ->capture_default_str();
    command.add_flag("--json", flags.json, "Print the server's answer as it came");
}

std::expected<std::string, ExitCode> call(const ApiFlags& flags, const ApiCall& call) {
    const auto target = find_target(flags, call);
    if (!target) return std::unexpected(target.error());
    HttpAnswer answer = send(flags, *target, call);
    if (answer.result != CURLE_OK) return std::unexpected(tell_no_answer(*target, call, answer));
    if (answer.status >= 200 && answer.status < 300) return std::move(answer.body);
    if (flags.json) fmt::print("{}\n", answer.body);
    fmt::print(stderr, "firstcome: {}\n", describe(answer));
    if (answer.status >= 500) print_repeat_hint(call);
    return std::unexpected(exit_code_of(answer.status));
}

std::string check_item(const std::string& item) {
    const auto bad =
        item.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-"
        );
    const bool is_good = !item.empty() && item.size() <= 64 && bad == std::string::npos;
    return is_good ? "" : "an item id is 1 to 64 of A-Z a-z 0-9 . _ : -";
}

std::string printable(std::string_view text) {
    return base::without_controls(text, ' ');
}

}  // namespace firstcome::cli
