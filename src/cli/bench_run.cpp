// src/cli/bench_run.cpp - what happens before and after the load
#include "cli/bench_run.hpp"

#include "base/entropy.hpp"
#include "cli/bench_audit.hpp"
#include "cli/bench_client.hpp"
#include "cli/bench_cpu.hpp"
#include "cli/bench_load.hpp"
#include "cli/bench_record.hpp"
#include "cli/bench_report.hpp"
#include "cli/cli.hpp"

#include <fmt/format.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>
#include <utility>

namespace firstcome::cli {

namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr int exit_interrupted = 130;

std::atomic<bool> interrupted{false};

extern "C" void on_interrupt(int) {
    interrupted.store(true, std::memory_order_relaxed);
}

// The second signal meets the default action: a run that hangs can still be ended.
void catch_interrupts() {
    struct sigaction action {};

    action.sa_handler = &on_interrupt;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
}

/// Why there is no run.
struct Stop {
    ExitCode code;
    std::string say;
};

int end(const Stop& stop) {
    fmt::print(stderr, "firstcome bench: {}\n", stop.say);
    return stop.code;
}

std::expected<std::string, Stop> admin_token(const BenchOptions& options) {
    const std::string path =
        options.token_file.empty() ? options.data + "/admin.token" : options.token_file;
    std::ifstream file{path};
    std::string token;
    if (file >> token) return token;
    std::string say = fmt::format(
        "no admin token in {}: name the server's data directory with --data, the file with "
        "--token-file, or give an existing --item without --stock",
        path
    );
    return std::unexpected(Stop{ExitCode::not_authorized, std::move(say)});
}

std::expected<void, Stop> set_stock(const BenchOptions& options, BenchClient& client) {
    const auto token = admin_token(options);
    if (!token) return std::unexpected(token.error());
    std::string body = fmt::format(
        R"({{"itemId":"{}","operation":"set","quantity":{})", options.item, *options.stock
    );
    if (options.user_limit) body += fmt::format(R"(,"perUserLimit":{})", *options.user_limit);
    body += R"(,"reason":"firstcome bench"})";
    const auto reply = client.post("/api/v1/admin/stock", *token, body);
    if (!reply) return std::unexpected(Stop{ExitCode::unreachable, reply.error()});
    if (reply->status == 200) return {};
    const bool denied = reply->status == 401 || reply->status == 403;
    return std::unexpected(Stop{
        denied ? ExitCode::not_authorized : ExitCode::refused,
        fmt::format(
            "the stock of {} could not be set: {} {}", options.item, reply->status, reply->body
        ),
    });
}

/// Connects, sets the stock if told to, and returns the item's figures from before the first order;
/// nothing for an item that is new, or not looked at.
std::expected<std::optional<StockView>, Stop> prepare(
    const BenchOptions& options, BenchClient& client
) {
    if (auto connected = client.connect(); !connected) {
        return std::unexpected(Stop{ExitCode::unreachable, connected.error()});
    }
    std::optional<StockView> before;
    if (options.audit) {
        auto stock = read_stock(client, options.item);
        if (!stock) return std::unexpected(Stop{ExitCode::failed, stock.error()});
        before = *stock;
    }
    if (options.stock) {
        if (auto set = set_stock(options, client); !set) return std::unexpected(set.error());
        return before;
    }
    if (!options.audit || before) return before;
    return std::unexpected(Stop{
        ExitCode::refused,
        fmt::format("there is no item {}: give --stock to make it", options.item),
    });
}

std::optional<nanoseconds> cpu_of(const std::vector<int>& pids) {
    nanoseconds sum{0};
    for (const int pid : pids) {
        const auto cpu = cpu_of_process(pid);
        if (!cpu) return std::nullopt;
        sum += *cpu;
    }
    return sum;
}

/// Runs the load, and fills in how long it took and what it cost.
void measure(Load& load, BenchResult& result) {
    const std::vector<int>& pids = result.options.server_pids;
    const nanoseconds client_before = cpu_of_this_process();
    const auto server_before = cpu_of(pids);
    result.elapsed = load.run();
    const auto server_after = cpu_of(pids);
    result.client_cpu = cpu_of_this_process() - client_before;
    if (!pids.empty() && server_before && server_after) {
        result.server_cpu = *server_after - *server_before;
    }
    result.interrupted = interrupted;
}

std::vector<AuditLine> audit(
    const BenchResult& result, std::optional<StockView> before, BenchClient& client
) {
    const auto after = read_stock(client, result.options.item);
    if (!after) return {{.ok = false, .text = after.error()}};
    if (!*after) return {{.ok = false, .text = "the item is gone"}};
    const AuditSubject subject{result.options, result.naming, result.seen, before, **after};
    std::vector<AuditLine> lines = audit_figures(subject);
    lines.push_back(audit_orders(subject, client));
    return lines;
}

int tell(const BenchResult& result) {
    const bool json_to_stdout = result.options.json == "-";
    fmt::print(json_to_stdout ? stderr : stdout, "{}", summary_text(result));
    if (json_to_stdout) fmt::print("{}\n", summary_json(result));
    if (!result.options.json.empty() && !json_to_stdout) {
        std::ofstream file{result.options.json};
        file << summary_json(result) << '\n';
        if (!file.flush()) return end({ExitCode::failed, "cannot write " + result.options.json});
    }
    if (!result.all_well()) return ExitCode::failed;
    return result.interrupted ? exit_interrupted : int{ExitCode::ok};
}

}  // namespace

int run_bench(BenchOptions options) {
    base::SystemEntropy entropy;
    const std::string run_tag = fmt::format("{:08x}", entropy.next() >> 32U);
    const Naming naming{.run_tag = run_tag, .users = options.users};
    if (options.item.empty()) options.item = "bench-" + run_tag;
    const auto endpoint = endpoint_from(options.server);
    if (!endpoint) return end({ExitCode::usage, endpoint.error()});
    std::unique_ptr<RecordFile> record;
    if (!options.record.empty()) {
        auto opened = RecordFile::open(options.record);
        if (!opened) return end({ExitCode::usage, opened.error()});
        record = *std::move(opened);
    }
    BenchClient client{*endpoint, options.ride_out ? options.patience : 0s};
    const auto before = prepare(options, client);
    if (!before) return end(before.error());

    const RequestShape shape{
        .host = endpoint->name,
        .item = options.item,
        .quantity = options.quantity,
        .keys = options.keys,
    };
    const RequestTemplates templates{shape, naming, options.batch};
    catch_interrupts();
    Load load{{options, *endpoint, templates, record.get(), interrupted, entropy.next()}};
    BenchResult result{options, naming, load.witness()};
    measure(load, result);
    if (options.audit) result.audit = audit(result, *before, client);
    if (record) {
        if (auto closed = record->close(); !closed) {
            result.audit.push_back({.ok = false, .text = "the record: " + closed.error()});
        }
    }
    return tell(result);
}

}  // namespace firstcome::cli
