// tests/support/servers.cpp - a real Redis and a real PostgreSQL, each for one test binary
#include "tests/support/servers.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sstream>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace firstcome::test {

namespace {

[[noreturn]] void stop_test(const std::string& why) {
    std::fprintf(stderr, "test servers: %s\n", why.c_str());
    std::abort();
}

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

bool listens(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in address = loopback(port);
    const bool there =
        ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return there;
}

std::vector<char*> arguments_of(const std::vector<std::string>& command) {
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    return arguments;
}

struct Ran {
    int status = -1;
    std::string output;
};

Ran run(const std::vector<std::string>& command) {
    std::array<int, 2> pipe_fds{};
    if (::pipe2(pipe_fds.data(), O_CLOEXEC) != 0) stop_test("pipe");
    const std::vector<char*> arguments = arguments_of(command);
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::dup2(pipe_fds[1], 1);
        ::dup2(pipe_fds[1], 2);
        if (::chdir("/") != 0) ::_exit(126);
        ::execvp(arguments[0], arguments.data());
        ::_exit(127);
    }
    ::close(pipe_fds[1]);
    Ran ran;
    std::array<char, 4096> buffer{};
    for (ssize_t got = 0; (got = ::read(pipe_fds[0], buffer.data(), buffer.size())) > 0;) {
        ran.output.append(buffer.data(), static_cast<std::size_t>(got));
    }
    ::close(pipe_fds[0]);
    ::waitpid(pid, &ran.status, 0);
    while (ran.output.ends_with('\n')) ran.output.pop_back();
    return ran;
}

std::string run_or_stop(const std::vector<std::string>& command) {
    Ran ran = run(command);
    if (ran.status != 0) stop_test(command.front() + " failed: " + ran.output);
    return std::move(ran.output);
}

std::string redis_cli(std::uint16_t port, const std::vector<std::string>& words) {
    std::vector<std::string> command{"redis-cli", "-p", std::to_string(port)};
    command.insert(command.end(), words.begin(), words.end());
    return run(command).output;
}

/// PostgreSQL refuses to run as root.
std::vector<std::string> as_postgres(std::vector<std::string> command) {
    if (::geteuid() != 0) return command;
    const std::vector<std::string> prefix{
        "setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--"};
    command.insert(command.begin(), prefix.begin(), prefix.end());
    return command;
}

std::string postgres_programs() {
    std::vector<std::string> found;
    std::error_code ignored;
    for (const auto& each : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored)) {
        if (std::filesystem::exists(each.path() / "bin/initdb")) {
            found.push_back((each.path() / "bin").string());
        }
    }
    if (found.empty()) stop_test("PostgreSQL is not installed: ./dev setup test");
    return *std::ranges::max_element(found);
}

}  // namespace

std::uint16_t free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    if (::bind(fd, plain, size) != 0 || ::getsockname(fd, plain, &size) != 0) stop_test("no port");
    ::close(fd);
    return ntohs(address.sin_port);
}

ServerProgram::~ServerProgram() {
    if (running()) kill(SIGKILL);
}

void ServerProgram::start(
    const std::vector<std::string>& command, std::uint16_t port, const std::string& log
) {
    FC_ASSERT(!running());
    const std::vector<char*> arguments = arguments_of(command);
    pid_ = ::fork();
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // whatever ends the test ends its servers
        const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
        ::dup2(out, 1);
        ::dup2(out, 2);
        if (::chdir("/") != 0) ::_exit(126);
        ::execvp(arguments[0], arguments.data());
        ::_exit(127);
    }
    for (int tries = 0; !listens(port); ++tries) {
        int status = 0;
        if (::waitpid(pid_, &status, WNOHANG) == pid_ || tries > 3000) {
            stop_test(command.front() + " did not start; see " + log);
        }
        ::poll(nullptr, 0, 10);
    }
}

void ServerProgram::kill(int signal_number) {
    FC_ASSERT(running());
    ::kill(pid_, signal_number);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

void ServerProgram::freeze() {
    FC_ASSERT(running());
    ::kill(pid_, SIGSTOP);
}

void ServerProgram::thaw() {
    FC_ASSERT(running());
    ::kill(pid_, SIGCONT);
}

RedisServer::RedisServer(std::vector<std::string> options)
    : port_(free_port()), options_(std::move(options)) {
    start();
}

void RedisServer::start() {
    start_loading();
    while (is_loading()) ::poll(nullptr, 0, 10);
}

void RedisServer::start_loading() {
    std::vector<std::string> command{
        "redis-server",
        "--port",
        std::to_string(port_),
        "--bind",
        "127.0.0.1",
        "--daemonize",
        "no",
        "--save",
        "",
        "--appendonly",
        "yes",
        "--appendfsync",
        "everysec",
        "--dir",
        dir_.path().string(),
        "--protected-mode",
        "no"};
    command.insert(command.end(), options_.begin(), options_.end());
    program_.start(command, port_, (dir_.path() / "redis.log").string());
}

bool RedisServer::is_loading() const {
    const std::string said = cli({"PING"});
    return said != "PONG" && !said.contains("NOAUTH");
}

void RedisServer::lose_data() {
    FC_ASSERT(!program_.running());
    std::filesystem::remove_all(dir_.path() / "appendonlydir");
}

std::string RedisServer::cli(const std::vector<std::string>& words) const {
    return redis_cli(port_, words);
}

SentinelServer::SentinelServer(const RedisServer& master) : port_(free_port()) {
    const std::string file = (dir_.path() / "sentinel.conf").string();
    std::ofstream{file} << "port " << port_ << "\nbind 127.0.0.1\nprotected-mode no\n"
                        << "sentinel monitor mymaster 127.0.0.1 " << master.port() << " 1\n"
                        << "sentinel down-after-milliseconds mymaster 700\n"
                        << "sentinel failover-timeout mymaster 2000\n";
    const std::string log = (dir_.path() / "sentinel.log").string();
    program_.start({"redis-sentinel", file, "--dir", dir_.path().string()}, port_, log);
    // To look often shortens the test. A replica that has been silent for five pings is not
    // promoted, so these are further apart; their default would take a new master for a dead one.
    std::vector<std::string> haste{"SENTINEL", "DEBUG", "ping-period", "300"};
    for (const char* period : {"info-period", "ask-period", "publish-period"}) {
        haste.insert(haste.end(), {period, "100"});
    }
    cli(haste);
}

std::string SentinelServer::cli(const std::vector<std::string>& words) const {
    return redis_cli(port_, words);
}

void SentinelServer::wait_for_replica() const {
    const auto ready = [&] {
        return cli({"SENTINEL", "REPLICAS", "mymaster"}).contains("master-link-status\nok");
    };
    for (int tries = 0; !ready(); ++tries) {
        if (tries > 1000) stop_test("the Sentinel found no replica");
        ::poll(nullptr, 0, 10);
    }
}

RedisCluster::RedisCluster() {
    std::array<std::uint16_t, size> bus_ports{};
    for (std::size_t at = 0; at < size; ++at) {
        bus_ports.at(at) = free_port();
        nodes_.push_back(std::make_unique<RedisServer>(std::vector<std::string>{
            "--cluster-enabled",
            "yes",
            "--cluster-port",
            std::to_string(bus_ports.at(at)),
            "--cluster-node-timeout",
            "1000"}));
    }
    for (std::size_t at = 0; at < size; ++at) {
        // The first slots for which owner_of() says so.
        const std::string first = std::to_string((at * 16384 + size - 1) / size);
        const std::string last = std::to_string(((at + 1) * 16384 + size - 1) / size - 1);
        nodes_[at]->cli({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(at + 1)});
        nodes_[at]->cli({"CLUSTER", "ADDSLOTSRANGE", first, last});
        const std::string port = std::to_string(nodes_[at]->port());
        const std::string bus_port = std::to_string(bus_ports.at(at));
        nodes_[0]->cli({"CLUSTER", "MEET", "127.0.0.1", port, bus_port});
    }
    const auto ready = [&](const auto& node) {
        const std::string told = node->cli({"CLUSTER", "INFO"});
        return told.contains("cluster_state:ok") && told.contains("cluster_size:3");
    };
    for (int tries = 0; !std::ranges::all_of(nodes_, ready); ++tries) {
        if (tries > 1000) stop_test("the Cluster did not come together");
        ::poll(nullptr, 0, 10);
    }
}

std::string RedisCluster::id_of(std::size_t at) const {
    return nodes_.at(at)->cli({"CLUSTER", "MYID"});
}

TestCertificate::TestCertificate(
    const std::filesystem::path& folder, const std::string& alternatives
)
    : certificate((folder / "certificate.pem").string()), key((folder / "key.pem").string()) {
    run_or_stop(
        {"openssl",
         "req",
         "-x509",
         "-newkey",
         "ec",
         "-pkeyopt",
         "ec_paramgen_curve:prime256v1",
         "-nodes",
         "-days",
         "2",
         "-subj",
         "/CN=firstcome test",
         "-addext",
         "subjectAltName=" + alternatives,
         "-keyout",
         key,
         "-out",
         certificate}
    );
}

PostgresServer::PostgresServer(std::vector<std::string> options)
    : port_(free_port()), options_(std::move(options)), programs_(postgres_programs()) {
    const std::string data = (dir_.path() / "data").string();
    std::filesystem::create_directory(data);
    if (::geteuid() == 0) {
        const passwd* owner = ::getpwnam("postgres");
        if (owner == nullptr) stop_test("there is no user postgres");
        if (::chown(data.c_str(), owner->pw_uid, owner->pw_gid) != 0) stop_test("chown " + data);
        ::chmod(dir_.path().c_str(), 0755);
    }
    run_or_stop(as_postgres(
        {programs_ + "/initdb",
         "--pgdata",
         data,
         "--username",
         "firstcome",
         "--auth",
         "trust",
         "--encoding",
         "UTF8",
         "--no-locale",
         "--no-sync",
         "--no-instructions"}
    ));
    start();
}

PostgresServer::~PostgresServer() {
    if (program_.running()) kill();
}

void PostgresServer::start() {
    std::vector<std::string> command{
        programs_ + "/postgres",
        "-D",
        (dir_.path() / "data").string(),
        "-c",
        "port=" + std::to_string(port_),
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "unix_socket_directories=",
        "-c",
        "fsync=off",
        "-c",
        "max_connections=200"};
    command.insert(command.end(), options_.begin(), options_.end());
    program_.start(as_postgres(command), port_, (dir_.path() / "postgres.log").string());
    const std::string port = std::to_string(port_);
    while (run({programs_ + "/pg_isready", "-q", "-h", "127.0.0.1", "-p", port}).status != 0) {
        ::poll(nullptr, 0, 20);
    }
}

// Its children notice the postmaster's end by themselves, and within moments: until the last is
// gone, a new postmaster would refuse to start on the same memory. Frozen first, it makes no more.
void PostgresServer::kill() {
    program_.freeze();
    std::istringstream children{run({"pgrep", "--parent", std::to_string(program_.pid())}).output};
    program_.kill(SIGKILL);
    for (std::string child; std::getline(children, child);) {
        while (std::filesystem::exists("/proc/" + child)) ::poll(nullptr, 0, 10);
    }
    std::filesystem::remove(dir_.path() / "data/postmaster.pid");
}

std::string PostgresServer::make_database() {
    const std::string name = "test_" + std::to_string(++databases_);
    const std::string base = "postgresql://firstcome@127.0.0.1:" + std::to_string(port_) + "/";
    static_cast<void>(psql(base + "postgres", "CREATE DATABASE " + name));
    return base + name;
}

std::string PostgresServer::psql(std::string_view url, std::string_view sql) const {
    return run_or_stop(
        {programs_ + "/psql",
         "--no-psqlrc",
         "--quiet",
         "--tuples-only",
         "--no-align",
         "--dbname",
         std::string(url),
         "--set",
         "ON_ERROR_STOP=1",
         "--command",
         std::string(sql)}
    );
}

PostgresServer& shared_postgres() {
    static PostgresServer server;
    return server;
}

}  // namespace firstcome::test
