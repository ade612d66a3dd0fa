// src/adapters/redis/reply.cpp - what Redis answered, as a value, and the reader that makes it
#include "adapters/redis/reply.hpp"

#include <hiredis/hiredis.h>

#include <algorithm>

namespace firstcome::redis {

namespace {

// hiredis calls these as it parses and knows our replies as void*. An item is made in its array's
// block. The array may move its items while it grows, since hiredis holds on to the arrays around
// the item it reads, never to finished neighbours.
Reply* add(const redisReadTask* task, Reply&& reply) {
    if (task->parent == nullptr) return new Reply(std::move(reply));
    return &static_cast<Reply*>(task->parent->obj)->items.emplace_back(std::move(reply));
}

Reply::Kind kind_of(int type) {
    switch (type) {
        case REDIS_REPLY_STATUS: return Reply::Kind::status;
        case REDIS_REPLY_ERROR: return Reply::Kind::error;
        default: return Reply::Kind::text;
    }
}

void* create_text(const redisReadTask* task, char* text, std::size_t size) {
    return add(task, Reply{.kind = kind_of(task->type), .text = std::string(text, size)});
}

void* create_array(const redisReadTask* task, int size) {
    const auto count = static_cast<std::size_t>(size);
    if (count > reply_items_max) return nullptr;
    Reply* array = add(task, Reply{.kind = Reply::Kind::array});
    // What a header promises is not yet there.
    array->items.reserve(std::min<std::size_t>(count, 8192));
    return array;
}

void* create_integer(const redisReadTask* task, long long integer) {
    return add(task, Reply{.kind = Reply::Kind::integer, .integer = integer});
}

void* create_nil(const redisReadTask* task) {
    return add(task, Reply{});
}

void free_reply(void* reply) {
    delete static_cast<Reply*>(reply);
}

redisReplyObjectFunctions functions{
    .createString = create_text,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_reply};

// hiredis gives a bigger buffer back to the system each time it has run empty.
constexpr std::size_t kept_buffer_bytes = std::size_t{1} << 20U;

}  // namespace

bool Reply::says(std::string_view expected) const {
    return (kind == Kind::text || kind == Kind::status) && text == expected;
}

std::string_view code_of(std::string_view error_text) {
    return error_text.substr(0, error_text.find(' '));
}

ReplyReader::ReplyReader(std::size_t bytes_max)
    : reader_(redisReaderCreateWithFunctions(&functions)), bytes_max_(bytes_max) {
    reader_->maxbuf = kept_buffer_bytes;
}

void ReplyReader::Free::operator()(redisReader* reader) const {
    redisReaderFree(reader);
}

void ReplyReader::feed(std::span<const char> bytes) {
    unfinished_bytes_ += bytes.size();
    redisReaderFeed(reader_.get(), bytes.data(), bytes.size());
}

std::expected<std::optional<Reply>, std::string> ReplyReader::next() {
    void* made = nullptr;
    if (redisReaderGetReply(reader_.get(), &made) != REDIS_OK) {
        return std::unexpected(std::string("not Redis: ") + reader_->errstr);
    }
    if (made == nullptr && unfinished_bytes_ > bytes_max_) {
        return std::unexpected("the answer is too long");
    }
    if (made == nullptr) return std::nullopt;
    unfinished_bytes_ = 0;
    const std::unique_ptr<Reply> reply{static_cast<Reply*>(made)};
    return std::optional<Reply>{std::move(*reply)};
}

}  // namespace firstcome::redis
