// src/adapters/redis/connection.cpp - commands to the Redis that decides, wherever it is now
#include "adapters/redis/connection.hpp"

#include "adapters/redis/deadline.hpp"
#include "adapters/redis/directory.hpp"
#include "adapters/redis/link.hpp"
#include "adapters/redis/requests.hpp"
#include "base/assert.hpp"

#include <array>
#include <utility>

namespace firstcome::redis {

namespace {

constexpr int hops_max = 5;

std::unexpected<Failure> failed(CommandError error, std::string text) {
    return std::unexpected(Failure{.error = error, .text = std::move(text)});
}

/// What an error reply asks of us.
enum class Move : std::uint8_t {
    tell,   // it is the answer
    pause,  // not executed; the server cannot now
    leave,  // not executed; the shard lives elsewhere
    ask,    // not executed; this once, elsewhere
};

struct Next {
    Move move = Move::tell;
    Address address{};  // where to
};

/// Source   Redis "Cluster specification": `MOVED <slot> <host>:<port>`, `ASK` likewise
Next next_of(const Reply& reply, const Address& from) {
    if (!reply.is(Reply::Kind::error)) return {};
    const std::string_view code = code_of(reply.text);
    if (error_of(reply.text) == CommandError::not_sent) return {.move = Move::pause};
    if (code == "READONLY") return {.move = Move::leave};
    if (code != "MOVED" && code != "ASK") return {};
    const std::size_t last_space = reply.text.rfind(' ');
    const auto address = parse_address(std::string_view{reply.text}.substr(last_space + 1), from);
    if (!address) return {.move = Move::pause};
    return {.move = code == "ASK" ? Move::ask : Move::leave, .address = *address};
}

}  // namespace

/// One call, and the time it has.
struct Connection::Turn {
    std::uint64_t generation = 0;
    std::chrono::milliseconds timeout;  // of an exchange
    Deadline end;                       // of all
};

Connection::Connection(ConnectionOptions options, const base::Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      directory_(std::make_unique<Directory>(options_)),
      requests_(std::make_unique<Requests>()) {}

Connection::~Connection() = default;

Result<void> Connection::connect() {
    return make_ready(start_turn({}));
}

void Connection::close() {
    link_.reset();
}

Connection::Turn Connection::start_turn(const Call& call) {
    if (link_ != nullptr && !link_->quiet()) close();
    const auto timeout = call.timeout.count() > 0 ? call.timeout : options_.command_timeout;
    return {
        .generation = call.generation,
        .timeout = timeout,
        .end = Deadline{clock_, timeout + options_.connect_timeout}};
}

Result<void> Connection::make_ready(const Turn& turn) {
    const bool pinned = turn.generation != 0;
    if (pinned && (link_ == nullptr || turn.generation != generation_)) {
        return failed(CommandError::not_sent, "the connection to Redis is not that one any more");
    }
    if (link_ != nullptr) return {};
    auto link = directory_->open_master(turn.end.within(options_.connect_timeout));
    if (!link) return std::unexpected(link.error());
    link_ = *std::move(link);
    server_ = link_->server();
    ++generation_;
    return {};
}

Result<std::vector<Reply>> Connection::exchange(const Turn& turn) {
    if (auto ready = make_ready(turn); !ready) return std::unexpected(ready.error());
    auto replies = link_->exchange(*requests_, turn.end.within(turn.timeout));
    if (!replies) close();
    return replies;
}

Result<void> Connection::leave(const Address& address, const std::string& why) {
    close();
    if (code_of(why) == "READONLY") return {};
    if (options_.url.topology == Topology::cluster) {
        directory_->moved_to(address);
        return {};
    }
    return failed(
        CommandError::refused, why + "; this Redis is a Cluster: write redis+cluster://host:port"
    );
}

Result<Reply> Connection::ask_at(const Address& address, const Turn& turn) {
    auto link = directory_->open_at(address, turn.end.within(options_.connect_timeout));
    if (!link) return std::unexpected(link.error());
    Requests asking;
    asking.command(std::array<std::string_view, 1>{"ASKING"});
    asking.append(*requests_);
    auto replies = (*link)->exchange(asking, turn.end.within(turn.timeout));
    if (!replies) return std::unexpected(replies.error());
    return std::move(replies->back());
}

Result<Reply> Connection::exchange_one(const Call& call) {
    const Turn turn = start_turn(call);
    std::string why;
    for (int hop = 0; hop <= hops_max; ++hop) {
        auto replies = exchange(turn);
        if (!replies) return std::unexpected(replies.error());
        Result<Reply> reply = std::move(replies->front());
        Next next = next_of(*reply, server_.address);
        if (next.move == Move::ask && call.generation != 0) {
            return failed(CommandError::not_sent, std::move(reply->text));
        }
        if (next.move == Move::ask) {
            reply = ask_at(next.address, turn);
            if (!reply) return reply;
            next = next_of(*reply, next.address);
        }
        if (!reply->is(Reply::Kind::error)) return reply;
        why = std::move(reply->text);
        if (next.move == Move::tell) return failed(CommandError::refused, std::move(why));
        if (next.move == Move::pause) break;
        if (auto left = leave(next.address, why); !left) return std::unexpected(left.error());
    }
    return failed(CommandError::not_sent, std::move(why));
}

Result<Reply> Connection::command(Words words, Call call) {
    FC_ASSERT(!words.empty());
    requests_->clear();
    requests_->command(words);
    return exchange_one(call);
}

Result<Reply> Connection::command(std::initializer_list<std::string_view> words, Call call) {
    return command(Words{words.begin(), words.size()}, call);
}

Result<Reply> Connection::eval(const Script& script, Words keys, Words arguments, Call call) {
    const auto format = [&](std::string_view verb, std::string_view name) {
        requests_->clear();
        requests_->begin(3 + keys.size() + arguments.size());
        requests_->word(verb);
        requests_->word(name);
        requests_->word(std::to_string(keys.size()));
        for (const std::string_view key : keys) requests_->word(key);
        for (const std::string_view argument : arguments) requests_->word(argument);
    };
    format("EVALSHA", script.sha1());
    auto reply = exchange_one(call);
    if (reply || reply.error().code() != "NOSCRIPT") return reply;
    format("EVAL", script.text());
    return exchange_one(call);
}

Result<std::vector<Reply>> Connection::pipeline(std::span<const Words> commands, Call call) {
    if (commands.empty()) return std::vector<Reply>{};
    requests_->clear();
    for (const Words words : commands) requests_->command(words);
    auto replies = exchange(start_turn(call));
    if (!replies) return replies;
    bool executed = false;
    for (const Reply& each : *replies) {
        const Move move = next_of(each, server_.address).move;
        executed = executed || move == Move::tell;
    }
    for (std::size_t at = 0; at < commands.size(); ++at) {
        const Move move = next_of(replies->at(at), server_.address).move;
        if (move == Move::tell || (executed && move == Move::pause)) continue;
        auto again = command(commands[at], call);
        if (!again && again.error().error == CommandError::refused) {
            again = Reply{.kind = Reply::Kind::error, .text = std::move(again.error().text)};
        }
        if (!again && !executed) return std::unexpected(again.error());
        if (!again) return failed(CommandError::outcome_unknown, std::move(again.error().text));
        replies->at(at) = *std::move(again);
        executed = true;
    }
    return replies;
}

}  // namespace firstcome::redis
