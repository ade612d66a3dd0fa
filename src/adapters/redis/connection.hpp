// src/adapters/redis/connection.hpp - commands to the Redis that decides, wherever it is now
#pragma once

#include "adapters/redis/failure.hpp"
#include "adapters/redis/reply.hpp"
#include "adapters/redis/script.hpp"
#include "adapters/redis/server.hpp"
#include "adapters/redis/tls.hpp"
#include "adapters/redis/url.hpp"
#include "base/time.hpp"

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::redis {

class Directory;
class Link;
class Requests;

struct ConnectionOptions {
    Url url{};                        ///< its password may be set from elsewhere
    std::string sentinel_password{};  ///< empty: Sentinels ask for none
    TlsOptions tls{};
    std::string shard_key{};  ///< as `{s3}`; on a Cluster the connection serves this key's slot
    std::string client_name = "firstcome";
    std::chrono::milliseconds connect_timeout{1000};  ///< to a server that answers, all hops
    std::chrono::milliseconds command_timeout{1000};
};

/// How one command is to be sent.
struct Call {
    /// From the sending to the whole answer; 0: `command_timeout`. Connecting, where needed, may
    /// take `connect_timeout` besides.
    std::chrono::milliseconds timeout{0};
    /// Only over the connection of this count, else `not_sent`; 0: over any, made when needed.
    /// Who has checked a server's memory (the epoch) says here which server that was.
    std::uint64_t generation = 0;
};

using Words = std::span<const std::string_view>;

/// One connection at a time, to the master that serves the shard: found through Sentinels or in a
/// Cluster, made when first needed and again after a break. Follows MOVED, ASK and a demoted
/// master (READONLY) up to five times a call: none of them executed anything. The server being
/// busy (LOADING, BUSY, CLUSTERDOWN, TRYAGAIN, MASTERDOWN, NOREPLICAS) is `not_sent`, and so is ASK
/// of a call for one `generation`: the shard is on its way to a server nobody has checked. The
/// caller pauses.
///
/// Errors   as in CommandError
/// Thread   one; blocks until the answer or the deadline. A name is looked up by the system's
///          resolver, whose own time limits hold.
/// Source   ADR-0010; Redis "RESP protocol", "Sentinel clients", "Cluster specification"
class Connection {
public:
    Connection(ConnectionOptions options, const base::Clock& clock);  // clock outlives
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Makes sure there is one; no cost while there is.
    [[nodiscard]] Result<void> connect();
    /// The next use connects anew.
    void close();

    /// Rises with every new connection, from 1; the answer to "is this still the server I checked".
    [[nodiscard]] std::uint64_t generation() const { return generation_; }

    /// Of the last connection made.
    [[nodiscard]] const Server& server() const { return server_; }

    /// An answer that is an error is a Failure.
    [[nodiscard]] Result<Reply> command(Words words, Call call = {});
    [[nodiscard]] Result<Reply> command(
        std::initializer_list<std::string_view> words, Call call = {}
    );

    /// All in one write, answers in the same order; an error among them stays in its place, and
    /// what belongs to another node is sent there, after the others. Not one transaction:
    /// `outcome_unknown` may mean that only some were executed.
    [[nodiscard]] Result<std::vector<Reply>> pipeline(
        std::span<const Words> commands, Call call = {}
    );

    /// EVALSHA; a server that does not know the script is given it.
    [[nodiscard]] Result<Reply> eval(
        const Script& script, Words keys, Words arguments, Call call = {}
    );

private:
    struct Turn;

    Turn start_turn(const Call& call);
    Result<void> make_ready(const Turn& turn);
    Result<std::vector<Reply>> exchange(const Turn& turn);
    Result<Reply> exchange_one(const Call& call);
    Result<Reply> ask_at(const Address& address, const Turn& turn);
    /// After an answer that says the shard is elsewhere: the next exchange goes there.
    Result<void> leave(const Address& address, const std::string& why);

    ConnectionOptions options_;
    const base::Clock& clock_;
    std::unique_ptr<Directory> directory_;
    std::unique_ptr<Link> link_;
    std::unique_ptr<Requests> requests_;
    Server server_{};
    std::uint64_t generation_ = 0;
};

/// The slot of a Cluster that a key lies in: by its hash tag where it has one.
///
/// Source   Redis "Cluster specification", "Hash tags"
[[nodiscard]] std::uint16_t slot_of(std::string_view key);

}  // namespace firstcome::redis
