// tests/support/servers.hpp - a real Redis and a real PostgreSQL, each for one test binary
#pragma once

#include "tests/support/temp_dir.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace firstcome::test {

/// A port nobody listens on at the moment, on 127.0.0.1.
[[nodiscard]] std::uint16_t free_port();

/// A program that listens on a port; ended, by its process id, with the object.
class ServerProgram {
public:
    ServerProgram() = default;
    ~ServerProgram();
    ServerProgram(const ServerProgram&) = delete;
    ServerProgram& operator=(const ServerProgram&) = delete;

    /// Starts it with its output in `log`, and waits until something listens on `port`.
    void start(const std::vector<std::string>& command, std::uint16_t port, const std::string& log);
    /// kill -9, or another signal; waits for the end.
    void kill(int signal_number = 9);
    /// SIGSTOP and SIGCONT: the program is there and says nothing.
    void freeze();
    void thaw();

    [[nodiscard]] bool running() const { return pid_ > 0; }

    [[nodiscard]] pid_t pid() const { return pid_; }

private:
    pid_t pid_ = -1;
};

/// A Redis of one's own: AOF everysec, noeviction, in a temporary directory.
class RedisServer {
public:
    /// `options` as on redis-server's command line, after ours.
    explicit RedisServer(std::vector<std::string> options = {});

    /// On the same port; with its data, unless the directory was emptied.
    void start();
    /// The same, and returns as soon as it listens: it may not have read its data yet.
    void start_loading();
    [[nodiscard]] bool is_loading() const;

    void kill() { program_.kill(); }

    void freeze() { program_.freeze(); }

    void thaw() { program_.thaw(); }

    /// Forgets everything stored; only while it does not run.
    void lose_data();

    [[nodiscard]] std::uint16_t port() const { return port_; }

    [[nodiscard]] std::string url() const {
        return "redis://127.0.0.1:" + std::to_string(port_) + "/0";
    }

    /// Runs redis-cli and returns what it printed, without the last line end.
    std::string cli(const std::vector<std::string>& words) const;

private:
    TempDir dir_;
    std::uint16_t port_;
    std::vector<std::string> options_;
    ServerProgram program_;
};

/// Watches a master by the name `mymaster`, and promotes a replica when it is gone for 700 ms.
class SentinelServer {
public:
    explicit SentinelServer(const RedisServer& master);

    void kill() { program_.kill(); }

    [[nodiscard]] std::uint16_t port() const { return port_; }

    /// Until it knows a replica that it could promote.
    void wait_for_replica() const;
    /// Runs redis-cli, as RedisServer::cli.
    std::string cli(const std::vector<std::string>& words) const;

private:
    TempDir dir_;
    std::uint16_t port_;
    ServerProgram program_;
};

/// Three masters, each with a third of the slots; ready after about two seconds.
class RedisCluster {
public:
    RedisCluster();

    [[nodiscard]] RedisServer& node(std::size_t at) { return *nodes_.at(at); }

    /// The id by which the nodes know each other.
    [[nodiscard]] std::string id_of(std::size_t at) const;

    /// The node that serves the slot, 0..2, as long as no slot was moved.
    [[nodiscard]] static std::size_t owner_of(std::uint16_t slot) { return slot * 3U / 16384U; }

    static constexpr std::size_t size = 3;

private:
    std::vector<std::unique_ptr<RedisServer>> nodes_;
};

/// Files of a certificate that signs itself, for the names in `alternatives` (as
/// `IP:127.0.0.1,DNS:localhost`), in `folder`.
struct TestCertificate {
    TestCertificate(const std::filesystem::path& folder, const std::string& alternatives);

    std::string certificate;
    std::string key;
};

/// A PostgreSQL cluster of one's own, fsync off (a test kills the server, not the machine).
class PostgresServer {
public:
    explicit PostgresServer(std::vector<std::string> options = {});
    ~PostgresServer();

    void start();
    /// kill -9 of the postmaster and all its children.
    void kill();

    [[nodiscard]] std::uint16_t port() const { return port_; }

    /// A new empty database; the connection string of it.
    std::string make_database();
    /// Runs psql on a database made here; returns rows, columns split by `|`.
    std::string psql(std::string_view url, std::string_view sql) const;

private:
    TempDir dir_;
    std::uint16_t port_;
    std::vector<std::string> options_;
    std::string programs_;  // the folder of initdb and postgres
    ServerProgram program_;
    int databases_ = 0;
};

/// The server that all tests of this binary share; started when first asked for.
PostgresServer& shared_postgres();

}  // namespace firstcome::test
