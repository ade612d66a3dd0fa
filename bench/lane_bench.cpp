// bench/lane_bench.cpp - lane + SQLite without HTTP: durable orders per second by orders per commit
#include "adapters/sqlite/ledger.hpp"
#include "app/order_lane.hpp"
#include "base/entropy.hpp"
#include "base/time.hpp"

#include <fmt/format.h>

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <semaphore>
#include <string>
#include <sys/resource.h>
#include <vector>

using namespace firstcome;

namespace {

class Silent final : public ports::Observer {
public:
    void batch_placed(unsigned, const ports::BatchReport&) override {}
};

/// Lets `window` orders be under way at once and counts what was accepted.
class Window final : public app::ReplySink {
public:
    explicit Window(std::ptrdiff_t window) : free_(window) {}

    void deliver(std::span<app::Answer> answers) override {
        for (const app::Answer& answer : answers) {
            const bool yes =
                answer.reply && std::holds_alternative<domain::Accepted>(*answer.reply);
            accepted_ += yes ? 1 : 0;
        }
        free_.release(static_cast<std::ptrdiff_t>(answers.size()));
    }

    std::counting_semaphore<1 << 20> free_;
    std::atomic<std::uint64_t> accepted_{0};
};

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

// usage: lane_bench DIRECTORY ORDERS WINDOW
int main(int argc, char** argv) {
    const std::filesystem::path path = argc > 1 ? argv[1] : "lane-bench-data";
    const std::uint64_t orders = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1'000;
    const auto window = argc > 3 ? std::strtoll(argv[3], nullptr, 10) : 256;

    base::SystemClock clock;
    base::SystemEntropy entropy;
    auto dir = sqlite::DataDir::open(path, 1, entropy);
    if (!dir) return fmt::print(stderr, "{}\n", dir.error()), 1;
    const base::KeyedHash hash{dir->secret()};
    sqlite::Ledger::Options options;
    options.fatal = [](std::string_view why) {
        fmt::print(stderr, "{}\n", why);
        std::_Exit(1);
    };
    const auto opening = clock.monotonic();
    auto ledger = sqlite::Ledger::open(options, *dir, clock, entropy, hash);
    if (!ledger) return fmt::print(stderr, "{}\n", ledger.error()), 1;
    const std::chrono::duration<double> opened = clock.monotonic() - opening;
    fmt::print("start with {} orders: {:.2f} s\n", (*ledger)->orders_recovered(), opened.count());

    domain::StockChange stock;
    stock.item = *domain::ItemId::from("bench");
    stock.quantity = 1'000'000'000;
    if (!(*ledger)->change_stock(stock)) return 1;

    Silent observer;
    Window sink{window};
    app::OrderLane lane{
        {.queue_capacity = 1U << 16U, .batch_size_max = 4096}, **ledger, clock, observer};
    lane.start();
    const std::uint64_t first = (*ledger)->orders_recovered();
    const double cpu_before = cpu_seconds();
    const auto started = clock.monotonic();
    for (std::uint64_t n = first; n < first + orders; ++n) {
        sink.free_.acquire();
        app::Placement placement;
        const std::string user = fmt::format("{}", 1'000'000 + n);
        placement.request.user = *domain::UserId::from(user);
        placement.request.item = stock.item;
        placement.request.key = hash.hash128(user, user);
        placement.sink = &sink;
        if (lane.submit({&placement, 1}) != 1) return 1;
    }
    lane.close_and_drain();
    const std::chrono::duration<double> took = clock.monotonic() - started;
    const double cpu = cpu_seconds() - cpu_before;
    const double accepted = static_cast<double>(sink.accepted_.load());
    fmt::print(
        "{} orders, {} at once: {:.0f} durable orders/s, {:.2f} us CPU an order (client "
        "included)\n",
        sink.accepted_.load(),
        window,
        accepted / took.count(),
        cpu * 1e6 / accepted
    );
    return sink.accepted_.load() == orders ? 0 : 1;
}
