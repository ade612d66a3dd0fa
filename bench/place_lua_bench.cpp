// bench/place_lua_bench.cpp - what one order costs the Redis that decides, in its own CPU time
//
// place_lua_bench <port of an empty redis-server> [orders] [cases]
// Prints per case: orders a second, microseconds of redis-server's CPU an order, orders a second
// one core could take, and a checksum over all answers. The server is emptied.
#include "adapters/redis/connection.hpp"
#include "adapters/redis/scripts.hpp"
#include "adapters/redis/shard_keys.hpp"
#include "adapters/redis/stored_order.hpp"
#include "base/time.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::redis {
namespace {

struct Case {
    const char* what;
    std::size_t batch;
    bool keyed;
    bool sold_out;
    bool limited = false;
    unsigned items = 1;
};

constexpr Case cases[] = {
    {"accept, with keys", 64, true, false},
    {"accept, with keys", 256, true, false},
    {"accept, without keys", 64, false, false},
    {"accept, with keys and a limit", 64, true, false, true},
    {"accept, with keys, 32 items", 64, true, false, false, 32},
    {"sold out, with keys", 64, true, true},
    {"sold out, with keys", 256, true, true},
    {"sold out, without keys", 256, false, true},
};

[[noreturn]] void stop(const std::string& why) {
    std::fprintf(stderr, "place_lua_bench: %s\n", why.c_str());
    std::exit(1);
}

template <typename T>
T must(Result<T> result) {
    if (!result) stop(result.error().text);
    return std::move(*result);
}

/// Seconds of the main thread, user and system.
double cpu_seconds(Connection& connection) {
    const std::string text = must(connection.command({"INFO", "cpu"})).text;
    double sum = 0;
    for (const std::string_view name :
         {"used_cpu_sys_main_thread:", "used_cpu_user_main_thread:"}) {
        const std::size_t at = text.find(name);
        if (at == std::string::npos) stop("this Redis does not say its CPU time");
        double value = 0;
        std::from_chars(text.data() + at + name.size(), text.data() + text.size(), value);
        sum += value;
    }
    return sum;
}

std::string item_name(std::uint64_t n) {
    return "item" + std::to_string(n);
}

void fill(Connection& connection, const ShardKeys& keys, const Case& one) {
    must(connection.command({"FLUSHALL"}));
    must(connection.command(
        {"MSET",
         keys.epoch,
         "1",
         keys.moment,
         "1700000000000000",
         keys.placed,
         "0",
         keys.ttl,
         "86400000000"}
    ));
    const std::string_view units = "1000000000";
    for (unsigned i = 0; i < one.items; ++i) {
        const std::string key = keys.item(item_name(i));
        must(connection.command({"HSET",      key,
                                 "initial",   units,
                                 "restocked", "0",
                                 "remaining", one.sold_out ? "0" : units,
                                 "sold",      one.sold_out ? units : "0",
                                 "orders",    "0",
                                 "opens",     "",
                                 "closes",    "",
                                 "limit",     one.limited ? "1000" : "",
                                 "movement",  "1"}));
    }
}

PackedOrders batch_of(const Case& one, std::mt19937_64& chance) {
    PackedOrders orders;
    for (std::size_t i = 0; i < one.batch; ++i) {
        domain::OrderRequest request;
        const std::uint64_t item = chance() % one.items;
        request.user = domain::UserId::from("user" + std::to_string(chance() % 1'000'000)).value();
        request.item = domain::ItemId::from(item_name(item)).value();
        if (one.keyed) request.key = domain::KeyHash{.high = chance(), .low = chance()};
        pack_order(orders, static_cast<std::uint16_t>(item + 1), request, {chance(), chance()});
    }
    return orders;
}

/// Accepted orders count with their sequence, refusals with their text.
std::uint64_t checksum(const Reply& reply) {
    std::uint64_t sum = 0;
    for (const Reply& answer : reply.items.at(0).items) {
        sum = sum * 31 + static_cast<std::uint64_t>(answer.integer) + answer.text.size();
    }
    return sum;
}

void measure(Connection& connection, const Case& one, std::size_t orders) {
    const ShardKeys keys{0};
    fill(connection, keys, one);
    std::mt19937_64 chance{7};
    const std::string sha1{scripts().place.sha1()};
    must(connection.command({"SCRIPT", "LOAD", scripts().place.text()}));
    std::vector<PackedOrders> batches;
    for (std::size_t made = 0; made < orders; made += one.batch) {
        batches.push_back(batch_of(one, chance));
    }
    std::vector<std::string> names;
    for (unsigned i = 0; i < one.items; ++i) names.push_back(item_name(i));

    // A few batches at once, so that the server never waits for us.
    constexpr std::size_t at_once = 8;
    const double cpu_before = cpu_seconds(connection);
    const base::SystemClock clock;
    const auto began = clock.monotonic();
    std::uint64_t sum = 0;
    for (std::size_t at = 0; at < batches.size(); at += at_once) {
        std::deque<std::string> moments;
        std::vector<std::vector<std::string_view>> words;
        std::vector<Words> commands;
        for (std::size_t i = at; i < std::min(batches.size(), at + at_once); ++i) {
            moments.push_back(std::to_string(1'700'000'000'000'000 + i * 200));
            words.push_back(
                {"EVALSHA",
                 sha1,
                 "1",
                 keys.epoch,
                 keys.prefix,
                 "1",
                 "",
                 moments.back(),
                 "1000000000",
                 "r",
                 batches[i].heads,
                 batches[i].rests}
            );
            words.back().insert(words.back().end(), names.begin(), names.end());
        }
        for (const auto& each : words) commands.emplace_back(each);
        for (const Reply& reply : must(connection.pipeline(commands))) {
            if (reply.is(Reply::Kind::error)) stop(reply.text);
            sum = sum * 31 + checksum(reply);
        }
    }
    const double wall = std::chrono::duration<double>(clock.monotonic() - began).count();
    const double cpu = cpu_seconds(connection) - cpu_before;
    const auto count = static_cast<double>(batches.size() * one.batch);
    std::printf(
        "%-30s %4zu a call  %8.0f/s  %5.2f us CPU an order  %8.0f/s a core  checksum %016llx\n",
        one.what,
        one.batch,
        count / wall,
        cpu / count * 1e6,
        count / cpu,
        static_cast<unsigned long long>(sum)
    );
}

}  // namespace
}  // namespace firstcome::redis

int main(int count, char** arguments) {
    using namespace firstcome::redis;
    if (count < 2) stop("usage: place_lua_bench <port> [orders] [cases, from the first]");
    const std::size_t orders = count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 500'000;
    const std::string url = "redis://127.0.0.1:" + std::string(arguments[1]) + "/0";
    const auto parsed = parse_url(url);
    if (!parsed) stop(parsed.error());
    const firstcome::base::SystemClock clock;
    Connection connection{{.url = *parsed, .command_timeout = std::chrono::seconds{60}}, clock};
    const std::size_t wanted = count > 3 ? std::strtoull(arguments[3], nullptr, 10) : ~0ULL;
    for (const Case& one : std::span(cases).first(std::min(wanted, std::size(cases)))) {
        measure(connection, one, orders);
    }
    return 0;
}
