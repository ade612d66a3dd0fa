// src/cli/bench_load.cpp - starts the engines, waits for them, shows progress meanwhile
#include "cli/bench_load.hpp"

#include "cli/bench_audit.hpp"
#include "cli/bench_engine.hpp"
#include "cli/bench_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <thread>
#include <unistd.h>

namespace firstcome::cli {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t serials_per_thread = 10'000'000'000;

}  // namespace

Load::Load(LoadParts parts) : parts_(parts) {
    const std::uint64_t sample =
        parts.options.audit_all ? Witness::keep_all : parts.options.audit_sample;
    for (unsigned at = 0; at < parts.options.threads; ++at) {
        witnesses_.push_back(std::make_unique<Witness>(sample, parts.seed + at));
    }
}

std::chrono::nanoseconds Load::run() {
    start_ = shown_at_ = clock_.monotonic();
    last_answer_ = start_;
    running_ = parts_.options.threads;
    std::vector<std::thread> threads;
    for (unsigned at = 0; at < parts_.options.threads; ++at) {
        threads.emplace_back([this, at] { run_thread(at); });
    }
    show_progress();
    for (std::thread& thread : threads) thread.join();
    for (std::size_t at = 1; at < witnesses_.size(); ++at) witnesses_[0]->merge(*witnesses_[at]);
    return last_answer_ - start_;
}

void Load::run_thread(unsigned at) {
    WishSource wishes{parts_.options.mix, at * serials_per_thread, parts_.seed + at};
    Recorder recorder{parts_.record, parts_.templates};
    const EngineParts parts{
        parts_.endpoint,
        parts_.templates,
        clock_,
        parts_.interrupted,
        wishes,
        *witnesses_[at],
        recorder,
    };
    Engine engine{share_of(at), parts};
    engine.run(start_);
    const std::lock_guard lock{mutex_};
    last_answer_ = std::max(last_answer_, engine.last_answer());
    --running_;
    ended_.notify_one();
}

EngineShare Load::share_of(unsigned at) const {
    const BenchOptions& options = parts_.options;
    const auto part = [&](std::uint64_t whole) {
        return whole / options.threads + (at < whole % options.threads ? 1 : 0);
    };
    return {
        .connections = static_cast<unsigned>(part(options.connections)),
        .pipeline = options.pipeline,
        .batch = options.batch,
        .orders = part(options.requests),
        .duration = options.duration,
        .rate = options.rate / options.threads,
        .warm_up = options.warm_up,
        .ride_out = options.ride_out,
        .patience = options.patience,
    };
}

void Load::show_progress() {
    const bool shown = !parts_.options.quiet && ::isatty(STDERR_FILENO) != 0;
    BenchClient client{parts_.endpoint, 0s};
    std::unique_lock lock{mutex_};
    while (!ended_.wait_for(lock, 500ms, [this] { return running_ == 0; })) {
        if (!shown) continue;
        lock.unlock();
        fmt::print(stderr, "\r\033[K{}", current_line(client));
        std::fflush(stderr);
        lock.lock();
    }
    if (shown) fmt::print(stderr, "\r\033[K");
}

std::string Load::current_line(BenchClient& client) {
    std::uint64_t answers = 0;
    for (const auto& witness : witnesses_) {
        answers += witness->live.answers.load(std::memory_order_relaxed);
    }
    const base::MonotonicTime now = clock_.monotonic();
    const double seconds = std::chrono::duration<double>(now - shown_at_).count();
    const double rate = static_cast<double>(answers - shown_answers_) / seconds;
    shown_answers_ = answers;
    shown_at_ = now;
    std::optional<std::int64_t> remaining;
    if (parts_.options.audit) {
        const auto stock = read_stock(client, parts_.options.item);
        if (stock && *stock) remaining = (*stock)->remaining;
    }
    return progress_line(witnesses_, now - start_, rate, remaining);
}

}  // namespace firstcome::cli
