// src/wiring/outbox_view.cpp - the outboxes of all shards, as a reader of orders needs them
#include "wiring/outbox_view.hpp"

#include "base/doorbell.hpp"

#include <chrono>

namespace firstcome::wiring {

namespace {

constexpr std::chrono::seconds relay_patience{2};  // a list is asked again after that
constexpr std::chrono::milliseconds look_again{2};

}  // namespace

void OutboxView::add_shard(unsigned shard, redis::ConnectionOptions options) {
    Shard& added = shards_.emplace_back();
    added.connection = std::make_unique<redis::Connection>(std::move(options), *clock_);
    added.reader = std::make_unique<redis::OutboxReader>(shard, *added.connection, *clock_);
}

std::expected<std::optional<domain::Order>, ports::StoreError> OutboxView::find(domain::OrderId id
) {
    if (id.shard() >= shards_.size()) return std::nullopt;
    auto found = shards_[id.shard()].reader->find(id);
    if (!found) return std::unexpected(ports::StoreError::unavailable);
    return *found;
}

std::expected<void, ports::StoreError> OutboxView::wait_until_relayed() {
    const auto give_up = clock_->monotonic() + relay_patience;
    base::Doorbell rests;
    for (Shard& shard : shards_) {
        const auto end = shard.reader->end();
        if (!end) return std::unexpected(ports::StoreError::unavailable);
        while (*end) {
            const auto passed = shard.reader->has_passed(**end);
            if (!passed) return std::unexpected(ports::StoreError::unavailable);
            if (*passed) break;
            if (clock_->monotonic() > give_up) {
                return std::unexpected(ports::StoreError::unavailable);
            }
            rests.rest(look_again);
        }
    }
    return {};
}

}  // namespace firstcome::wiring
