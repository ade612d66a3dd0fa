// src/adapters/redis/check.cpp - at start: is this Redis one that orders can be trusted to?
#include "adapters/redis/check.hpp"

#include <charconv>
#include <string_view>

namespace firstcome::redis {

namespace {

constexpr int version_min = 7;

int major_version(std::string_view version) {
    int major = 0;
    std::from_chars(version.data(), version.data() + version.size(), major);
    return major;
}

std::string advice(const Failure& failure) {
    const std::string_view code = failure.code();
    if (code == "LOADING") return "; it is still reading its data";
    if (code == "WRONGPASS") return "; correct the user and password of redis.url";
    if (code == "NOAUTH") return "; write the password into redis.url";
    if (code == "NOPERM") {
        return "; give the user these rights: ACL SETUSER <user> ~fc:* +@all -@dangerous +info";
    }
    if (failure.text.contains("without any password configured")) {
        return "; take the password out of redis.url, or set requirepass in redis.conf";
    }
    if (failure.text.contains("certificate")) {
        return "; name the file of the authority that signed it in redis.tls_ca_file, and the host "
               "in redis.url as the certificate has it";
    }
    if (failure.text.contains("TLS:")) return "; does this port speak TLS? If not: redis://";
    if (failure.text.contains("cluster support disabled")) {
        return "; it is no Cluster: write redis:// in redis.url";
    }
    if (failure.text.contains("is a replica")) return "; write the master's address in redis.url";
    if (failure.error != CommandError::refused) return "; is it running, and is redis.url right?";
    return "";
}

ServerCheck failed(const Failure& failure) {
    return {
        .error = "Redis: " + failure.text + advice(failure),
        .passing = failure.error != CommandError::refused && !failure.distrusted};
}

}  // namespace

std::string complaint_about(const Server& server) {
    const std::string at = "the Redis at " + text_of(server.address);
    if (major_version(server.version) < version_min) {
        return at + " is version " + server.version + "; install Redis 7 or newer";
    }
    if (server.maxmemory_policy != "noeviction") {
        return at +
               " may throw orders away when memory is short: set maxmemory-policy to "
               "noeviction, it is " +
               server.maxmemory_policy;
    }
    return "";
}

ServerCheck check_server(Connection& connection) {
    if (auto connected = connection.connect(); !connected) return failed(connected.error());
    ServerCheck check;
    const Server& server = connection.server();
    check.error = complaint_about(server);
    if (!check.error.empty()) return check;
    const auto scripts = connection.eval(Script{"return 1"}, {}, {});
    if (!scripts) return failed(scripts.error());
    if (!server.append_only) {
        check.warnings.push_back(
            "the Redis at " + text_of(server.address) +
            " keeps no append-only file: a restart loses what is not yet in PostgreSQL; set "
            "appendonly yes"
        );
    }
    return check;
}

}  // namespace firstcome::redis
