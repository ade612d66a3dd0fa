// src/cli/stats.cpp - firstcome stats: how the sale goes, once or again and again
#include "cli/api_client.hpp"
#include "cli/cli.hpp"
#include "cli/stats_table.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <unistd.h>

namespace firstcome::cli {

namespace {

struct Flags {
    ApiFlags api;
    std::string item;
    bool watch = false;
    unsigned interval_s = 1;
};

int print_once(const Flags& flags) {
    const std::string query = flags.item.empty() ? "" : "?itemId=" + flags.item;
    const auto body =
        call(flags.api, {.method = "GET", .path = "/api/v1/admin/stats" + query, .admin = true});
    if (!body) return body.error();
    const auto table = flags.api.json ? *body + "\n" : stats_table(*body);
    if (!table) {
        fmt::print(stderr, "firstcome: the answer is no JSON object\n");
        return failed;
    }
    // Home, then the table, then whatever an older, longer one left below it.
    const bool redraw = flags.watch && !flags.api.json && isatty(STDOUT_FILENO) == 1;
    fmt::print("{}{}{}", redraw ? "\x1b[H\x1b[2J" : "", *table, redraw ? "\x1b[J" : "");
    return std::fflush(stdout) == 0 ? ok : failed;
}

int run(const Flags& flags) {
    int code = print_once(flags);
    // A server that is away for a moment ends nothing; wrong flags or a wrong token do.
    while (flags.watch && (code == ok || code == unreachable || code == failed)) {
        if (std::ferror(stdout) != 0) return failed;
        sleep(flags.interval_s);
        code = print_once(flags);
    }
    return code;
}

}  // namespace

void add_stats(CLI::App& app, int& exit_code) {
    auto flags = std::make_shared<Flags>();
    auto* command = app.add_subcommand("stats", "Print how the sale goes");
    add_api_flags(*command, flags->api);
    command->add_option("--item", flags->item, "This item only")->check(check_item);
    command->add_flag("--watch", flags->watch, "Again and again, until interrupted");
    command->add_option("--interval", flags->interval_s, "Seconds between two, with --watch")
        ->check(CLI::Range(1, 3600))
        ->capture_default_str();
    command->callback([flags, &exit_code] { exit_code = run(*flags); });
}

}  // namespace firstcome::cli
