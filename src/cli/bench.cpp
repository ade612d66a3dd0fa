// src/cli/bench.cpp - the flags of `firstcome bench`
#include "cli/bench.hpp"

#include "cli/bench_options.hpp"
#include "cli/bench_record.hpp"
#include "cli/bench_run.hpp"
#include "cli/cli.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <utility>

namespace firstcome::cli {

namespace {

using std::chrono::nanoseconds;

/// What needs reading beyond a number or a word.
struct Words {
    BenchOptions options;
    std::string duration;
    std::string patience;
    std::string warm_up;
    std::string key = "fresh";
    std::string mix;
    std::int64_t stock = -1;
    std::int64_t user_limit = -1;
    bool sold_out = false;
    bool no_audit = false;
};

std::expected<BenchOptions, std::string> read_words(const CLI::App& verb, const Words& words) {
    BenchOptions options = words.options;
    const auto duration = [](const std::string& text, nanoseconds& out) {
        if (text.empty()) return true;
        const auto value = duration_from(text);
        out = value.value_or(nanoseconds{0});
        return value.has_value();
    };
    if (!duration(words.duration, options.duration)) {
        return std::unexpected("--duration is written like 500ms, 10s, 5m");
    }
    if (!duration(words.patience, options.patience)) {
        return std::unexpected("--patience is written like 500ms, 10s, 5m");
    }
    if (!duration(words.warm_up, options.warm_up)) {
        return std::unexpected("--warm-up is written like 500ms, 10s, 5m");
    }
    if (words.key != "fresh" && words.key != "none") {
        return std::unexpected("--key is fresh or none");
    }
    options.keys = words.key == "fresh";
    if (verb.count("--mix") > 0) {
        auto mix = mix_from(words.mix.empty() ? mix_default : std::string_view{words.mix});
        if (!mix) return std::unexpected(mix.error());
        options.mix = *mix;
    }
    if (verb.count("--stock") > 0) options.stock = words.stock;
    if (verb.count("--user-limit") > 0) options.user_limit = words.user_limit;
    if (words.sold_out) options.stock = 0;
    options.audit = !words.no_audit;
    return settled(std::move(options));
}

void add_load_options(CLI::App& verb, Words& words) {
    BenchOptions& options = words.options;
    verb.add_option("--server", options.server, "host:port")->capture_default_str();
    verb.add_option("--connections", options.connections, "connections")->capture_default_str();
    verb.add_option("--threads", options.threads, "threads of the load generator")
        ->capture_default_str();
    verb.add_option("--pipeline", options.pipeline, "calls in flight per connection")
        ->capture_default_str();
    verb.add_option("--batch", options.batch, "orders per call; above 1: POST orders:batch")
        ->capture_default_str();
    verb.add_option("--requests", options.requests, "orders to send (whole batches)");
    verb.add_option("--duration", words.duration, "how long to send, like 10s (default: 10s)");
    verb.add_option(
        "--rate",
        options.rate,
        "orders/s, open loop: latency counts from when an order should have been sent"
    );
    verb.add_option(
        "--warm-up",
        words.warm_up,
        "count no latencies of orders due so early, like 1s (default: all count)"
    );
    verb.add_flag(
        "--ride-out",
        options.ride_out,
        "reconnect, and ask again with the same key until the answer is definite"
    );
    verb.add_option("--patience", words.patience, "give up after so long without any answer (30s)");
}

void add_scenario_options(CLI::App& verb, Words& words) {
    BenchOptions& options = words.options;
    verb.add_option("--item", options.item, "item id (default: a fresh one for the run)");
    verb.add_option("--stock", words.stock, "set this stock first (needs the admin token)");
    verb.add_option("--user-limit", words.user_limit, "units per user, set with the stock");
    verb.add_option("--quantity", options.quantity, "units per order")->capture_default_str();
    verb.add_option("--users", options.users, "number of users (default: each order its own)");
    verb.add_option("--key", words.key, "Idempotency-Key: fresh or none")->capture_default_str();
    verb.add_option(
            "--mix", words.mix, fmt::format("shares of requests (default: {})", mix_default)
    )
        ->expected(0, 1);
    verb.add_flag("--sold-out", words.sold_out, "stock 0: every answer is a refusal");
    verb.add_flag("--drop", options.drop, "buyers rush for units, each until accepted or sold out");
    verb.add_option("--buyers", options.buyers, "of a drop")->capture_default_str();
    verb.add_option("--units", options.units, "of a drop")->capture_default_str();
}

void add_report_options(CLI::App& verb, Words& words) {
    BenchOptions& options = words.options;
    verb.add_option(
        "--token-file", options.token_file, "admin token (default: <data>/admin.token)"
    );
    verb.add_option("--data,--data-dir", options.data, "the server's data directory")
        ->capture_default_str();
    verb.add_option("--record", options.record, "write a line per answer (format below)");
    verb.add_option("--json", options.json, "write the result as JSON to a file, or - for stdout");
    verb.add_option("--server-pid", options.server_pids, "measure the CPU time of these processes")
        ->delimiter(',');
    verb.add_flag(
        "--no-audit", words.no_audit, "do not compare with the server's stock and orders"
    );
    verb.add_flag("--audit-all", options.audit_all, "fetch every accepted order (64 bytes each)");
    verb.add_option("--audit-sample", options.audit_sample, "accepted orders to fetch again")
        ->capture_default_str();
    verb.add_flag("--quiet", options.quiet, "no live progress");
}

}  // namespace

CLI::App* add_bench(CLI::App& root, int& exit_code) {
    CLI::App* verb =
        root.add_subcommand("bench", "load a server with orders, then audit its answers");
    auto words = std::make_shared<Words>();
    add_load_options(*verb, *words);
    add_scenario_options(*verb, *words);
    add_report_options(*verb, *words);
    verb->footer(fmt::format(
        "Exit code: 0 all well, 1 a broken promise or connection errors, 2 wrong flags, 3 no "
        "server, "
        "4 no admin token, 5 the server refused, 130 interrupted.\n\nLines of --record: {}",
        record_format
    ));
    verb->callback([verb, words, &exit_code] {
        auto options = read_words(*verb, *words);
        if (options) {
            exit_code = run_bench(*std::move(options));
            return;
        }
        fmt::print(stderr, "firstcome bench: {}\n", options.error());
        exit_code = ExitCode::usage;
    });
    return verb;
}

}  // namespace firstcome::cli
