// src/cli/api_client.hpp - one call to a running server, and one way to say why it failed
#pragma once

#include "cli/cli.hpp"

#include <expected>
#include <string>
#include <string_view>

namespace firstcome::cli {

/// How a verb finds the server. What is not said comes from the configuration the server has.
struct ApiFlags {
    ConfigFlags config;
    std::string url;         ///< --url; empty: as the configuration has it
    std::string token_file;  ///< --token-file; empty: admin.token_file
    std::string ca_file;     ///< --ca-file; empty: the system's
    std::string cert_file;   ///< --cert-file; empty: no client certificate
    std::string key_file;    ///< --key-file; given with the certificate only
    unsigned timeout_s = 10;
    bool json = false;  ///< print the server's answer as it came
};

void add_api_flags(CLI::App& command, ApiFlags& flags);

struct ApiCall {
    std::string method;  ///< GET, POST, DELETE
    std::string path;    ///< `/api/v1/admin/stats`
    std::string body{};  ///< JSON
    bool admin = false;  ///< sends the token; asked at admin.listen where that is set
    bool probe = false;  ///< asked at health.listen where that is set
    std::string idempotency_key{};
};

/// The body of a 2xx answer. Never retries.
///
/// Errors   how the program ends; why was printed to standard error (with --json, the server's own
///          words to standard output)
[[nodiscard]] std::expected<std::string, ExitCode> call(const ApiFlags& flags, const ApiCall& call);

/// For CLI11: empty when `item` is an item's id, so that it needs no escapes in a path.
///
/// Source   docs/api.md: ids are 1-64 of [A-Za-z0-9._:-]
[[nodiscard]] std::string check_item(const std::string& item);

/// `text` without what could move a terminal's cursor.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace firstcome::cli
