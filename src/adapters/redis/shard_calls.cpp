// src/adapters/redis/shard_calls.cpp - scripts and commands to one shard, only in its recorded life
#include "adapters/redis/shard_calls.hpp"

#include "telemetry/log.hpp"

namespace firstcome::redis {

using ports::LedgerError;

namespace {

LedgerError error_of(const Failure& failure) {
    switch (failure.error) {
        case CommandError::not_sent: return LedgerError::unavailable;
        case CommandError::outcome_unknown: return LedgerError::outcome_unknown;
        case CommandError::refused: break;
    }
    const std::string_view code = failure.code();
    if (code == "EPOCH" || code == "STALE") return LedgerError::rebuilding;
    if (code == "BACKLOG") return LedgerError::backlog;
    if (code == "OOM" || code == "MISCONF") return LedgerError::storage_full;
    // The leader's conservation check sees it too, and repairs.
    if (code == "CORRUPT") return LedgerError::rebuilding;
    return LedgerError::unavailable;
}

/// What scripts refuse in the course of things.
bool is_expected(const Failure& failure) {
    const std::string_view code = failure.code();
    return failure.error != CommandError::refused || code == "EPOCH" || code == "BACKLOG" ||
           code == "BELOW";
}

}  // namespace

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
        if (reply) {
            refusal_.clear();
            return std::move(*reply);
        }
        const CallFailure failure = failure_of(reply.error());
        if (reply.error().code() != "EPOCH" || again) return std::unexpected(failure);
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
    if (!reply) return std::unexpected(failure_of(reply.error()));
    return std::move(*reply);
}

ShardCalls::Result<std::vector<Reply>> ShardCalls::pipeline(
    std::span<const Words> commands, std::chrono::milliseconds timeout
) {
    const auto life = handshake_.greet();
    if (!life) return std::unexpected(CallFailure{.error = life.error()});
    auto replies =
        connection_.pipeline(commands, {.timeout = timeout, .generation = life->generation});
    if (!replies) return std::unexpected(failure_of(replies.error()));
    return std::move(*replies);
}

// Said once, not for every batch that meets it.
CallFailure ShardCalls::failure_of(const Failure& failure) {
    if (!is_expected(failure) && refusal_ != failure.code()) {
        refusal_ = failure.code();
        log::error("Redis refused", {{"shard", keys_.shard}, {"error", failure.text}});
    }
    return {.error = error_of(failure), .text = failure.text};
}

}  // namespace firstcome::redis
