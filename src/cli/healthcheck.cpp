// src/cli/healthcheck.cpp - firstcome healthcheck: for containers, which have no curl
#include "cli/api_client.hpp"
#include "cli/cli.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace firstcome::cli {

void add_healthcheck(CLI::App& app, int& exit_code) {
    auto flags = std::make_shared<ApiFlags>();
    auto* command = app.add_subcommand("healthcheck", "Exit 0 when the server takes orders");
    add_api_flags(*command, *flags);
    command->get_option("--url")->description(
        "The server; default: health.listen, or server.listen where that is not set"
    );
    command->callback([flags, &exit_code] {
        const auto body = call(*flags, {.method = "GET", .path = "/readyz", .probe = true});
        exit_code = body ? ok : body.error();
    });
}

}  // namespace firstcome::cli
