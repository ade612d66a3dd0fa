// src/cli/bench_options.cpp - reading and checking the options of `firstcome bench`
#include "cli/bench_options.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <system_error>
#include <utility>

namespace firstcome::cli {

namespace {

constexpr std::int64_t stock_plenty = 1'000'000'000;
constexpr std::size_t item_size_max = 56;  // 64 less "-unknown"

template <typename Number>
std::optional<Number> number_from(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::string_view cut(std::string_view& rest, char at) {
    const std::size_t found = rest.find(at);
    const std::string_view part = rest.substr(0, found);
    rest = found == std::string_view::npos ? std::string_view{} : rest.substr(found + 1);
    return part;
}

unsigned* share_named(MixShares& shares, std::string_view name) {
    if (name == "new") return &shares.fresh;
    if (name == "repeat") return &shares.repeated;
    if (name == "wrong") return &shares.reused;
    if (name == "limit") return &shares.over_limit;
    if (name == "unknown") return &shares.unknown_item;
    return nullptr;
}

std::optional<std::string> contradiction(const BenchOptions& options) {
    struct Rule {
        bool broken;
        std::string_view say;
    };

    const bool mixed = options.mix.has_value();
    const std::array rules{
        Rule{
            options.connections == 0 || options.threads == 0,
            "--connections and --threads are at least 1"},
        Rule{options.threads > options.connections, "--threads is at most --connections"},
        Rule{
            options.requests > 0 && options.requests < options.threads,
            "--requests is at least --threads"},
        Rule{options.threads > 64, "--threads is at most 64"},
        Rule{options.pipeline == 0 || options.pipeline > 1'024, "--pipeline is 1 to 1024"},
        Rule{options.batch == 0 || options.batch > 1'000, "--batch is 1 to 1000 orders a call"},
        Rule{options.rate < 0, "--rate is above 0"},
        Rule{options.quantity < 1 || options.quantity > 1'000, "--quantity is 1 to 1000"},
        Rule{options.item.size() > item_size_max, "--item has at most 56 characters"},
        Rule{options.stock && *options.stock < 0, "--stock is not negative"},
        Rule{mixed && options.batch > 1, "--mix sends single orders: leave --batch out"},
        Rule{mixed && options.drop, "--mix and --drop are two scenarios: choose one"},
        Rule{mixed && !options.keys, "--mix repeats keys: leave --key none out"},
        Rule{mixed && options.users > 0, "--mix gives every order its own user: leave --users out"},
        Rule{mixed && options.mix->fresh == 0, "--mix needs a share of new orders"},
        Rule{mixed && options.quantity > 999, "--mix asks for one more: --quantity is at most 999"},
        Rule{options.drop && options.batch > 1, "--drop sends single orders: leave --batch out"},
        Rule{options.drop && options.rate > 0, "--drop is a rush: leave --rate out"},
        Rule{
            options.duration.count() > 0 && options.warm_up >= options.duration,
            "--warm-up must be shorter than --duration, or no latency counts"},
        Rule{
            options.ride_out && !options.keys,
            "retrying without a key would order twice: leave --key none out"},
    };
    for (const Rule& rule : rules) {
        if (rule.broken) return std::string{rule.say};
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::chrono::nanoseconds> duration_from(std::string_view text) {
    using std::chrono::nanoseconds;
    constexpr std::array<std::pair<std::string_view, std::int64_t>, 4> scales{{
        {"ms", 1'000'000},
        {"s", 1'000'000'000},
        {"m", 60'000'000'000},
        {"h", 3'600'000'000'000},
    }};
    for (const auto& [suffix, scale] : scales) {
        if (!text.ends_with(suffix)) continue;
        const auto count = number_from<std::int32_t>(text.substr(0, text.size() - suffix.size()));
        if (!count || *count <= 0) return std::nullopt;
        return nanoseconds{*count * scale};
    }
    return std::nullopt;
}

std::expected<MixShares, std::string> mix_from(std::string_view text) {
    MixShares shares{.fresh = 0};
    while (!text.empty()) {
        std::string_view part = cut(text, ',');
        const std::string_view name = cut(part, '=');
        unsigned* share = share_named(shares, name);
        const auto value = number_from<unsigned>(part);
        if (share == nullptr || !value || *value > 1'000) {
            return std::unexpected(fmt::format(
                "--mix does not know \"{}={}\": write shares of 0 to 1000 like {}",
                name,
                part,
                mix_default
            ));
        }
        *share = *value;
    }
    return shares;
}

std::expected<BenchOptions, std::string> settled(BenchOptions options) {
    if (auto say = contradiction(options)) return std::unexpected(*std::move(say));
    if (options.drop) {
        options.requests = options.buyers;
        options.stock = options.units;
        options.ride_out = true;
    }
    if (options.requests == 0 && options.duration.count() == 0) {
        options.duration = std::chrono::seconds{10};
    }
    if (options.item.empty() && !options.stock) options.stock = stock_plenty;
    if (options.mix && options.mix->over_limit > 0 && !options.user_limit) {
        options.user_limit = options.quantity;
    }
    if (options.mix && options.mix->over_limit > 0 && *options.user_limit >= 2 * options.quantity) {
        return std::unexpected(
            "a second order must be above the limit: --user-limit is below two times --quantity"
        );
    }
    if (options.mix && options.mix->over_limit > 0 && !options.stock) {
        return std::unexpected(
            "a user limit is set together with the stock: give --stock, or limit=0 in --mix"
        );
    }
    return options;
}

}  // namespace firstcome::cli
