// src/cli/bench_options.hpp - what `firstcome bench` can be told, and which combinations make sense
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::cli {

/// How often each kind of request is sent, as parts of their sum.
struct MixShares {
    unsigned fresh = 1;         ///< a new order
    unsigned repeated = 0;      ///< same key, same payload; some while the first is still in flight
    unsigned reused = 0;        ///< same key, other payload
    unsigned over_limit = 0;    ///< a second order of a user who may have no more
    unsigned unknown_item = 0;  ///< an item that was never set

    [[nodiscard]] unsigned sum() const {
        return fresh + repeated + reused + over_limit + unknown_item;
    }
};

/// The shares of `--mix` without a value.
inline constexpr std::string_view mix_default = "new=70,repeat=15,wrong=5,limit=5,unknown=5";

struct BenchOptions {
    std::string server = "127.0.0.1:8080";  ///< host:port
    unsigned connections = 64;
    unsigned threads = 1;
    unsigned pipeline = 1;                 ///< calls in flight per connection
    unsigned batch = 1;                    ///< orders per call; above 1: orders:batch
    std::uint64_t requests = 0;            ///< orders to send; 0: as the duration allows
    std::chrono::nanoseconds duration{0};  ///< 0: as long as `requests` takes
    double rate = 0;                       ///< orders/s, open loop; 0: closed loop
    std::chrono::nanoseconds warm_up{0};   ///< latencies of orders due before are not counted

    std::string item{};                        ///< empty: a fresh one per run
    std::optional<std::int64_t> stock{};       ///< units, set through the admin API before the run
    std::optional<std::int64_t> user_limit{};  ///< units per user, set together with the stock
    int quantity = 1;                          ///< units per order
    std::uint64_t users = 0;                   ///< 0: every order has its own user
    bool keys = true;                          ///< a fresh Idempotency-Key per order
    std::optional<MixShares> mix{};
    bool drop = false;
    std::uint64_t buyers = 100'000;  ///< of a drop
    std::int64_t units = 1'000;      ///< of a drop

    bool ride_out = false;
    std::chrono::nanoseconds patience{std::chrono::seconds{30}};  ///< without any answer

    std::string token_file{};  ///< empty: <data>/admin.token
    std::string data = "data";
    std::string record{};  ///< file; empty: none
    std::string json{};    ///< file or -; empty: none
    std::vector<int> server_pids{};
    bool audit = true;
    bool audit_all = false;
    std::uint64_t audit_sample = 1'000;  ///< accepted orders to fetch again
    bool quiet = false;                  ///< no live progress
};

/// "250ms", "10s", "5m", "24h". Nothing when the text is anything else, or not above zero.
[[nodiscard]] std::optional<std::chrono::nanoseconds> duration_from(std::string_view text);

/// "new=70,repeat=15,wrong=5,limit=5,unknown=5"; what is not named is 0.
///
/// Errors   a sentence that says what to write instead
[[nodiscard]] std::expected<MixShares, std::string> mix_from(std::string_view text);

/// Fills in what follows from the rest (a drop's orders and stock, the default length), and refuses
/// what cannot work together.
///
/// Errors   a sentence for the user
[[nodiscard]] std::expected<BenchOptions, std::string> settled(BenchOptions options);

}  // namespace firstcome::cli
