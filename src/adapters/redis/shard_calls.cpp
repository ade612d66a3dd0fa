// src/adapters/redis/shard_calls.cpp - scripts and commands to one shard, only in its recorded life
#include "adapters/redis/shard_calls.hpp"

#include "telemetry/log.hpp"

namespace firstcome::redis {

using ports::LedgerError;

namespace {

LedgerError error_of(const Failure& failure, unsigned shard) {
    switch (failure.error) {
        case CommandError::not_sent: return LedgerError::unavailable;
        case CommandError::outcome_unknown: return LedgerError::outcome_unknown;
        case CommandError::refused: break;
    }
    const std::string_view code = failure.code();
    if (code == "EPOCH") return LedgerError::rebuilding;
    if (code == "BACKLOG") return LedgerError::backlog;
    if (code == "BELOW") return LedgerError::unavailable;
    log::error("Redis refused", {{"shard", shard}, {"error", failure.text}});
    if (code == "OOM" || code == "MISCONF") return LedgerError::storage_full;
    // The leader's conservation check sees it too, and repairs.
    if (code == "CORRUPT") return LedgerError::rebuilding;
    return LedgerError::unavailable;
}

}  // namespace

CallFailure call_failure(const Failure& failure, unsigned shard) {
    return {.error = error_of(failure, shard), .text = failure.text};
}

ShardCalls::ShardCalls(
    Handshake::Options options,
    unsigned shard,
    Connection& connection,
    ports::SystemOfRecord& record,
    const base::Clock& clock
)
    : keys_(shard),
      connection_(connection),
      handshake_(options, keys_, connection, record, clock) {}

ShardCalls::Result<Reply> ShardCalls::eval(
    const Script& script, const std::function<Arguments(const Life&)>& arguments
) {
    for (const bool again : {false, true}) {
        const auto life = handshake_.greet();
        if (!life) return std::unexpected(CallFailure{.error = life.error()});
        const Arguments given = arguments(*life);
        std::vector<std::string_view> words{keys_.prefix, life->number};
        words.insert(words.end(), given.begin(), given.end());
        const std::string_view epoch_key = keys_.epoch;
        auto reply =
            connection_.eval(script, Words{&epoch_key, 1}, words, {.generation = life->generation});
        if (reply) return std::move(*reply);
        const CallFailure failure = call_failure(reply.error(), keys_.shard);
        if (reply.error().error != CommandError::refused) return std::unexpected(failure);
        if (failure.error != LedgerError::rebuilding || again) return std::unexpected(failure);
        handshake_.doubt();
    }
    return std::unexpected(CallFailure{.error = LedgerError::rebuilding});
}

ShardCalls::Result<Reply> ShardCalls::eval(const Script& script, const Arguments& arguments) {
    return eval(script, [&](const Life&) { return arguments; });
}

ShardCalls::Result<Reply> ShardCalls::command(
    std::initializer_list<std::string_view> words, std::chrono::milliseconds timeout
) {
    const auto life = handshake_.greet();
    if (!life) return std::unexpected(CallFailure{.error = life.error()});
    auto reply = connection_.command(words, {.timeout = timeout, .generation = life->generation});
    if (!reply) return std::unexpected(call_failure(reply.error(), keys_.shard));
    return std::move(*reply);
}

ShardCalls::Result<std::vector<Reply>> ShardCalls::pipeline(
    std::span<const Words> commands, std::chrono::milliseconds timeout
) {
    const auto life = handshake_.greet();
    if (!life) return std::unexpected(CallFailure{.error = life.error()});
    auto replies =
        connection_.pipeline(commands, {.timeout = timeout, .generation = life->generation});
    if (!replies) return std::unexpected(call_failure(replies.error(), keys_.shard));
    return std::move(*replies);
}

}  // namespace firstcome::redis
