// src/cli/bench.cpp - the verb: prepare the item, run the load, audit, report
#include "cli/bench.hpp"

#include "base/entropy.hpp"
#include "base/time.hpp"
#include "cli/bench_audit.hpp"
#include "cli/bench_client.hpp"
#include "cli/bench_engine.hpp"
#include "cli/bench_options.hpp"
#include "cli/bench_record.hpp"
#include "cli/bench_report.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>
#include <mutex>
#include <thread>
#include <unistd.h>
#include <utility>

namespace firstcome::cli {

namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr int exit_well = 0;
constexpr int exit_broken = 1;
constexpr int exit_could_not = 2;
constexpr int exit_interrupted = 130;
constexpr std::uint64_t serials_per_thread = 10'000'000'000;

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

// -- the item --

std::expected<std::string, std::string> admin_token(const BenchOptions& options) {
    const std::string path =
        options.token_file.empty() ? options.data + "/admin.token" : options.token_file;
    std::ifstream file{path};
    std::string token;
    if (file >> token) return token;
    return std::unexpected(fmt::format(
        "no admin token in {}: name the server's data directory with --data, the file with "
        "--token-file, or give an existing --item without --stock",
        path
    ));
}

std::expected<void, std::string> set_stock(const BenchOptions& options, BenchClient& client) {
    const auto token = admin_token(options);
    if (!token) return std::unexpected(token.error());
    std::string body = fmt::format(
        R"({{"itemId":"{}","operation":"set","quantity":{})", options.item, *options.stock
    );
    if (options.user_limit) body += fmt::format(R"(,"perUserLimit":{})", *options.user_limit);
    body += R"(,"reason":"firstcome bench"})";
    const auto reply = client.post("/api/v1/admin/stock", *token, body);
    if (!reply) return std::unexpected(reply.error());
    if (reply->status == 200) return {};
    return std::unexpected(fmt::format(
        "the stock of {} could not be set: {} {}", options.item, reply->status, reply->body
    ));
}

/// Connects, sets the stock if told to, and reads the item's figures before the first order.
std::expected<std::optional<StockView>, std::string> prepare(
    const BenchOptions& options, BenchClient& client
) {
    if (auto connected = client.connect(); !connected) return std::unexpected(connected.error());
    std::optional<StockView> before;
    if (options.audit) {
        auto stock = read_stock(client, options.item);
        if (!stock) return std::unexpected(stock.error());
        before = *stock;
    }
    if (options.stock) {
        if (auto set = set_stock(options, client); !set) return std::unexpected(set.error());
    } else if (options.audit && !before) {
        return std::unexpected(
            fmt::format("there is no item {}: give --stock to make it", options.item)
        );
    }
    return before;
}

// -- the load --

/// All threads of the load, and the line that shows how they fare.
class Load {
public:
    Load(
        const BenchOptions& options,
        const Endpoint& endpoint,
        const RequestTemplates& templates,
        RecordFile* record,
        std::uint64_t seed
    )
        : options_(options),
          endpoint_(endpoint),
          templates_(templates),
          record_(record),
          seed_(seed) {
        const std::uint64_t sample = options.audit_all ? 0 : options.audit_sample;
        for (unsigned at = 0; at < options.threads; ++at) {
            witnesses_.push_back(std::make_unique<Witness>(sample, seed + at));
        }
    }

    /// Returns the time from the first call to the last answer.
    nanoseconds run() {
        start_ = clock_.monotonic();
        std::vector<std::thread> threads;
        left_ = options_.threads;
        for (unsigned at = 0; at < options_.threads; ++at) {
            threads.emplace_back([this, at] { run_thread(at); });
        }
        show_progress();
        for (std::thread& thread : threads) thread.join();
        return last_answer_ - start_;
    }

    /// Everything all threads saw.
    Witness& merged() {
        for (std::size_t at = 1; at < witnesses_.size(); ++at)
            witnesses_[0]->merge(*witnesses_[at]);
        witnesses_.resize(1);
        return *witnesses_[0];
    }

private:
    void run_thread(unsigned at) {
        WishSource wishes{options_.mix, at * serials_per_thread, seed_ + at};
        Recorder recorder{record_, templates_};
        Engine engine{
            share_of(at),
            {endpoint_, templates_, clock_, interrupted, wishes, *witnesses_[at], recorder}};
        engine.run(start_);
        const std::lock_guard lock{mutex_};
        last_answer_ = std::max(last_answer_, engine.last_answer());
        --left_;
        ended_.notify_one();
    }

    [[nodiscard]] EngineShare share_of(unsigned at) const {
        const auto part = [&](std::uint64_t whole) {
            return whole / options_.threads + (at < whole % options_.threads ? 1 : 0);
        };
        return {
            .connections = static_cast<unsigned>(part(options_.connections)),
            .pipeline = options_.pipeline,
            .batch = options_.batch,
            .orders = part(options_.requests),
            .duration = options_.duration,
            .rate = options_.rate / options_.threads,
            .ride_out = options_.ride_out,
            .patience = options_.patience,
        };
    }

    [[nodiscard]] std::uint64_t answers() const {
        std::uint64_t sum = 0;
        for (const auto& witness : witnesses_) sum += witness->live.answers.load();
        return sum;
    }

    void show_progress() {
        const bool shown = !options_.quiet && ::isatty(STDERR_FILENO) != 0;
        BenchClient client{endpoint_, 0s};
        std::uint64_t answers_before = 0;
        base::MonotonicTime before = start_;
        std::unique_lock lock{mutex_};
        while (!ended_.wait_for(lock, 500ms, [this] { return left_ == 0; })) {
            if (!shown) continue;
            lock.unlock();
            const base::MonotonicTime now = clock_.monotonic();
            const std::uint64_t answers_now = answers();
            const double rate = static_cast<double>(answers_now - answers_before) /
                                std::chrono::duration<double>(now - before).count();
            std::optional<std::int64_t> remaining;
            if (const auto stock =
                    options_.audit ? read_stock(client, options_.item) : std::optional<StockView>{};
                stock && *stock) {
                remaining = (*stock)->remaining;
            }
            fmt::print(
                stderr, "\r\033[K{}", progress_line(witnesses_, now - start_, rate, remaining)
            );
            std::fflush(stderr);
            answers_before = answers_now;
            before = now;
            lock.lock();
        }
        if (shown) fmt::print(stderr, "\r\033[K");
    }

    const BenchOptions& options_;
    const Endpoint& endpoint_;
    const RequestTemplates& templates_;
    RecordFile* record_;
    std::uint64_t seed_;
    base::SystemClock clock_;
    base::MonotonicTime start_;
    std::vector<std::unique_ptr<Witness>> witnesses_;
    std::mutex mutex_;
    std::condition_variable ended_;
    unsigned left_ = 0;
    base::MonotonicTime last_answer_;
};

std::optional<nanoseconds> cpu_of(const std::vector<int>& pids) {
    nanoseconds sum{0};
    for (const int pid : pids) {
        const auto cpu = cpu_of_process(pid);
        if (!cpu) return std::nullopt;
        sum += *cpu;
    }
    return sum;
}

// -- afterwards --

std::vector<AuditLine> audit(
    const BenchOptions& options,
    const Naming& naming,
    const Witness& seen,
    std::optional<StockView> before,
    BenchClient& client
) {
    const auto after = read_stock(client, options.item);
    if (!after) return {{.ok = false, .text = after.error()}};
    if (!*after) return {{.ok = false, .text = "the item is gone"}};
    const AuditSubject subject{options, naming, seen, before, **after};
    std::vector<AuditLine> lines = audit_figures(subject);
    lines.push_back(audit_orders(subject, client));
    return lines;
}

int say(std::string_view what) {
    fmt::print(stderr, "firstcome bench: {}\n", what);
    return exit_could_not;
}

int tell(const BenchResult& result) {
    const bool json_to_stdout = result.options.json == "-";
    fmt::print(json_to_stdout ? stderr : stdout, "{}", summary_text(result));
    if (json_to_stdout) fmt::print("{}\n", summary_json(result));
    if (!result.options.json.empty() && !json_to_stdout) {
        std::ofstream file{result.options.json};
        file << summary_json(result) << '\n';
        if (!file.flush()) return say("cannot write " + result.options.json);
    }
    if (!result.all_well()) return exit_broken;
    return result.interrupted ? exit_interrupted : exit_well;
}

int run_bench(BenchOptions options) {
    base::SystemEntropy entropy;
    const Naming naming{
        .run_tag = fmt::format("{:08x}", entropy.next() >> 32U), .users = options.users};
    if (options.item.empty()) options.item = "bench-" + naming.run_tag;
    const auto endpoint = endpoint_from(options.server);
    if (!endpoint) return say(endpoint.error());
    std::unique_ptr<RecordFile> record;
    if (!options.record.empty()) {
        auto opened = RecordFile::open(options.record);
        if (!opened) return say(opened.error());
        record = *std::move(opened);
    }
    BenchClient client{*endpoint, options.ride_out ? options.patience : 0s};
    const auto before = prepare(options, client);
    if (!before) return say(before.error());

    const RequestTemplates templates{
        {.host = endpoint->name,
         .item = options.item,
         .quantity = options.quantity,
         .keys = options.keys},
        naming,
        options.batch,
    };
    catch_interrupts();
    Load load{options, *endpoint, templates, record.get(), entropy.next()};
    const nanoseconds client_before = cpu_of_this_process();
    const auto server_before = cpu_of(options.server_pids);
    const nanoseconds elapsed = load.run();
    const auto server_after = cpu_of(options.server_pids);
    const nanoseconds client_cpu = cpu_of_this_process() - client_before;

    Witness& seen = load.merged();
    BenchResult result{options, naming, seen, elapsed, client_cpu};
    result.interrupted = interrupted;
    if (!options.server_pids.empty() && server_before && server_after) {
        result.server_cpu = *server_after - *server_before;
    }
    if (options.audit) result.audit = audit(options, naming, seen, *before, client);
    if (record) {
        if (auto closed = record->close(); !closed) {
            result.audit.push_back({.ok = false, .text = "the record: " + closed.error()});
        }
    }
    return tell(result);
}

// -- the command line --

/// What needs reading beyond a number or a word.
struct Words {
    BenchOptions options;
    std::string duration;
    std::string patience;
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
        out = value.value_or(0s);
        return value.has_value();
    };
    if (!duration(words.duration, options.duration)) {
        return std::unexpected("--duration is written like 500ms, 10s, 5m");
    }
    if (!duration(words.patience, options.patience)) {
        return std::unexpected("--patience is written like 500ms, 10s, 5m");
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
    verb.add_option("--data", options.data, "the server's data directory")->capture_default_str();
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
        "Exit code: 0 all well, 1 a broken promise or connection errors, 2 could not run, 130 "
        "interrupted.\n\nLines of --record: {}",
        record_format
    ));
    verb->callback([verb, words, &exit_code] {
        auto options = read_words(*verb, *words);
        exit_code = options ? run_bench(*std::move(options)) : say(options.error());
    });
    return verb;
}

}  // namespace firstcome::cli
