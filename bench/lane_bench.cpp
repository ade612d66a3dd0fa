// bench/lane_bench.cpp - what lane, ledger and rules cost without HTTP
//
// lane_bench                                 all, with durable orders in a directory beside it
// lane_bench --benchmark_filter=decide       only the rules
// lane_bench --benchmark_min_time=0.001      tiny, as the tests run it: it fails on a wrong count
#include "adapters/sqlite/ledger.hpp"
#include "app/order_lane.hpp"
#include "base/entropy.hpp"
#include "base/time.hpp"
#include "domain/shard.hpp"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <semaphore>
#include <span>
#include <string>
#include <vector>

using namespace firstcome;

namespace {

constexpr domain::Units stock_units = 1'000'000'000;
constexpr std::uint64_t orders_per_round = 4'096;
constexpr std::size_t ahead = 16;  // keys fetched early, as the ledger does

/// Every order its own user and key, as in a sale.
class Buyers {
public:
    explicit Buyers(const base::KeyedHash& hash) : hash_(hash) {}

    void line_up(std::vector<domain::OrderRequest>& requests, const domain::ItemId& item) {
        requests.resize(orders_per_round);
        for (domain::OrderRequest& request : requests) {
            const std::string user = fmt::format("{}", ++number_);
            request.user = *domain::UserId::from(user);
            request.item = item;
            request.key = hash_.hash128(user, user);
        }
    }

private:
    const base::KeyedHash& hash_;  // outlives
    std::uint64_t number_ = 1'000'000;
};

// The rules and the remembered keys, committed in memory as after every batch of 256.
void decide(benchmark::State& state) {
    base::SystemClock clock;
    base::SystemEntropy entropy;
    const base::KeyedHash hash{base::KeyedHash::new_secret(entropy)};
    domain::OrderIdMaker ids{0, 0, entropy};
    domain::Shard shard{std::chrono::hours{24}, hash, ids};
    domain::StockChange change;
    change.item = *domain::ItemId::from("bench");
    change.quantity = stock_units;
    domain::Sale& sale = shard.open_sale(change.item);
    sale.adopt(std::get<domain::StockFigures>(sale.changed(change, clock.wall())));

    Buyers buyers{hash};
    std::vector<domain::OrderRequest> requests;
    std::uint64_t asked = 0;
    for (auto round : state) {
        state.PauseTiming();
        buyers.line_up(requests, change.item);
        const auto wall = clock.wall();
        const auto now = clock.monotonic();
        state.ResumeTiming();
        for (std::size_t i = 0; i < requests.size(); ++i) {
            if (i + ahead < requests.size()) shard.prefetch(*requests[i + ahead].key);
            benchmark::DoNotOptimize(shard.decide(requests[i], wall, now));
            if (++asked % 256 == 0) shard.commit();
        }
    }
    if (sale.figures().orders != asked) state.SkipWithError("not every order was granted");
    state.SetItemsProcessed(static_cast<std::int64_t>(asked));
}

BENCHMARK(decide)->Unit(benchmark::kMicrosecond);

class Silent final : public ports::Observer {
public:
    void batch_placed(unsigned, const ports::BatchReport&) override {}
};

/// Lets so many orders be under way at once, and counts what was accepted.
class Window final : public app::ReplySink {
public:
    explicit Window(std::ptrdiff_t width) : width_(width), free_(width) {}

    void deliver(std::span<app::Answer> answers) override {
        accepted_ +=
            static_cast<std::uint64_t>(std::ranges::count_if(answers, [](const auto& each) {
                return each.reply && std::holds_alternative<domain::Accepted>(*each.reply);
            }));
        free_.release(static_cast<std::ptrdiff_t>(answers.size()));
    }

    void enter() { free_.acquire(); }

    /// Until all have been answered.
    void wait_empty() {
        for (std::ptrdiff_t i = 0; i < width_; ++i) free_.acquire();
        free_.release(width_);
    }

    [[nodiscard]] std::uint64_t accepted() const { return accepted_; }

private:
    const std::ptrdiff_t width_;
    std::counting_semaphore<1 << 20> free_;
    std::atomic<std::uint64_t> accepted_{0};
};

/// A directory of its own on the disk we stand on: in memory a sync would cost nothing.
class Scratch {
public:
    Scratch() {
        std::string name = (std::filesystem::current_path() / "lane-bench-XXXXXX").string();
        if (::mkdtemp(name.data()) != nullptr) path_ = name;
    }

    ~Scratch() {
        std::error_code ignored;
        if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
    }

    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    [[nodiscard]] std::filesystem::path data() const { return path_ / "data"; }

private:
    std::filesystem::path path_;
};

// Through the queue, the lane and SQLite: every order is on the disk before it counts.
void durable(benchmark::State& state) {
    const Scratch scratch;
    base::SystemClock clock;
    base::SystemEntropy entropy;
    auto dir = sqlite::DataDir::open(scratch.data(), 1, entropy);
    if (!dir) return state.SkipWithError(dir.error().c_str());
    const base::KeyedHash hash{dir->secret()};
    sqlite::Ledger::Options options;
    options.fatal = [](std::string_view why) {
        fmt::print(stderr, "{}\n", why);
        std::_Exit(1);
    };
    auto ledger = sqlite::Ledger::open(options, *dir, clock, entropy, hash);
    if (!ledger) return state.SkipWithError(ledger.error().c_str());
    domain::StockChange stock;
    stock.item = *domain::ItemId::from("bench");
    stock.quantity = stock_units;
    if (!(*ledger)->change_stock(stock)) return state.SkipWithError("no stock");

    Silent observer;
    Window window{state.range(0)};
    app::OrderLane lane{
        {.queue_capacity = 1U << 16U,
         .batch_size_max = 4096,
         .wait_target = std::chrono::hours{1}},  // nobody is turned away
        **ledger,
        clock,
        observer};
    lane.start();
    Buyers buyers{hash};
    std::vector<domain::OrderRequest> requests;
    std::uint64_t asked = 0;
    for (auto round : state) {
        state.PauseTiming();
        buyers.line_up(requests, stock.item);
        state.ResumeTiming();
        for (const domain::OrderRequest& request : requests) {
            window.enter();
            const bool taken = lane.submit(
                {.request = request, .sink = &window, .ticket = asked, .arrived = clock.monotonic()}
            );
            if (!taken) return state.SkipWithError("the queue is full");
            ++asked;
        }
        window.wait_empty();
    }
    lane.close_and_drain();
    const bool right = window.accepted() == asked && (*ledger)->stock(stock.item)->orders == asked;
    if (!right) state.SkipWithError("accepted, stored and asked differ");
    state.SetItemsProcessed(static_cast<std::int64_t>(asked));
}

BENCHMARK(durable)
    ->ArgName("under_way")
    ->Arg(64)
    ->Arg(256)
    ->Arg(4'096)
    ->UseRealTime()
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
