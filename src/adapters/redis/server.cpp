// src/adapters/redis/server.cpp - what a Redis server says of itself
#include "adapters/redis/server.hpp"

#include <charconv>

namespace firstcome::redis {

namespace {

/// The value of a line `name:value`.
std::string line_of(std::string_view info, std::string_view name) {
    const std::string start = "\n" + std::string(name) + ":";
    const std::size_t at = info.find(start);
    if (at == std::string_view::npos) return {};
    const std::string_view rest = info.substr(at + start.size());
    return std::string(rest.substr(0, rest.find_first_of("\r\n")));
}

}  // namespace

Server server_of(const Address& address, std::string_view info) {
    Server server{
        .address = address,
        .run_id = line_of(info, "run_id"),
        .replication_id = line_of(info, "master_replid"),
        .version = line_of(info, "redis_version"),
        .role = line_of(info, "role"),
        .maxmemory_policy = line_of(info, "maxmemory_policy"),
        .append_only = line_of(info, "aof_enabled") == "1",
        .loading = line_of(info, "loading") == "1"};
    const std::string limit = line_of(info, "maxmemory");
    std::from_chars(limit.data(), limit.data() + limit.size(), server.maxmemory);
    const std::string host = line_of(info, "master_host");
    if (!host.empty()) server.master = host + ":" + line_of(info, "master_port");
    return server;
}

}  // namespace firstcome::redis
