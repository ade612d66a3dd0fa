// tests/support/sinks.hpp - an outbox and a sink that a test can steer
#pragma once

#include "base/doorbell.hpp"
#include "ports/event_sink.hpp"
#include "ports/outbox.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firstcome::test {

/// Keeps what is put until it is acknowledged.
///
/// Thread   any
class SteeredOutbox final : public ports::Outbox {
public:
    void put(domain::Event event) {
        {
            const std::lock_guard lock{mutex_};
            event.position = std::to_string(++positions_);
            waiting_.push_back(std::move(event));
        }
        bell_.ring();
    }

    /// The next pulls, or acknowledgements, fail like this, one after another.
    void fail_pull(ports::OutboxError error) { pull_faults_.push_back(error); }

    void fail_acknowledge(ports::OutboxError error) { acknowledge_faults_.push_back(error); }

    std::expected<std::vector<domain::Event>, ports::OutboxError> pull(
        std::size_t max, std::chrono::milliseconds wait
    ) override {
        if (const auto fault = taken_from(pull_faults_)) return std::unexpected(*fault);
        if (depth().pending == 0 && wait.count() > 0) bell_.rest(wait);
        const std::lock_guard lock{mutex_};
        ++pulls_;
        const auto count = static_cast<std::ptrdiff_t>(std::min(max, waiting_.size()));
        return std::vector<domain::Event>{waiting_.begin(), waiting_.begin() + count};
    }

    std::expected<void, ports::OutboxError> acknowledge(std::span<const domain::Event> events
    ) override {
        if (const auto fault = taken_from(acknowledge_faults_)) return std::unexpected(*fault);
        const std::lock_guard lock{mutex_};
        for (const domain::Event& event : events) {
            EXPECT_EQ(event.position, waiting_.front().position) << "not the first one waiting";
            waiting_.pop_front();
        }
        return {};
    }

    ports::OutboxDepth depth() const override {
        const std::lock_guard lock{mutex_};
        return {.pending = waiting_.size()};
    }

    std::size_t pulls() const {
        const std::lock_guard lock{mutex_};
        return pulls_;
    }

private:
    static std::optional<ports::OutboxError> taken_from(std::deque<ports::OutboxError>& faults) {
        if (faults.empty()) return std::nullopt;
        const auto fault = faults.front();
        faults.pop_front();
        return fault;
    }

    mutable std::mutex mutex_;
    base::Doorbell bell_;
    std::deque<domain::Event> waiting_;
    std::size_t positions_ = 0;
    std::size_t pulls_ = 0;
    std::deque<ports::OutboxError> pull_faults_;
    std::deque<ports::OutboxError> acknowledge_faults_;
};

enum class SinkKind : std::uint8_t {
    transaction,  // all of a call or none, and it cannot say which one is refused: PostgreSQL
    one_by_one,   // what came before the one refused is delivered: a webhook
};

/// Takes everything but what it is told to refuse.
class SteeredSink final : public ports::EventSink {
public:
    explicit SteeredSink(SinkKind kind = SinkKind::transaction, std::string consumer = "orders")
        : kind_(kind), consumer_(std::move(consumer)) {}

    /// Until it is told to accept it again.
    void refuse(domain::OrderId event, ports::Cause cause = ports::Cause::invalid) {
        refused_[event] = cause;
    }

    void accept(domain::OrderId event) { refused_.erase(event); }

    /// The next calls fail whole, after `delivered` events; `calls` of them.
    void fail(ports::Cause cause, std::size_t calls = 1, std::size_t delivered = 0) {
        for (std::size_t i = 0; i < calls; ++i)
            faults_.push_back({delivered, failure(cause, false)});
    }

    /// Called at the beginning of each delivery.
    void on_deliver(std::function<void(std::span<const domain::Event>)> hook) {
        hook_ = std::move(hook);
    }

    std::string_view consumer() const override { return consumer_; }

    ports::Delivery deliver(std::span<const domain::Event> events) override {
        ++calls_;
        // A copy, so that it may set another one.
        if (const auto hook = hook_) hook(events);
        if (!faults_.empty()) {
            ports::Delivery fault = faults_.front();
            faults_.pop_front();
            fault.delivered = std::min(fault.delivered, events.size() - 1);
            take(events.first(fault.delivered));
            return fault;
        }
        const auto bad = std::ranges::find_if(events, [this](const domain::Event& event) {
            return refused_.contains(event.id);
        });
        if (bad == events.end()) {
            take(events);
            return {.delivered = events.size(), .failure = std::nullopt};
        }
        const ports::Cause cause = refused_.at(bad->id);
        if (kind_ == SinkKind::transaction) return {0, failure(cause, false)};
        const auto before = static_cast<std::size_t>(bad - events.begin());
        take(events.first(before));
        return {before, failure(cause, true)};
    }

    /// All that was delivered, in order, repeats included.
    const std::vector<domain::Event>& taken() const { return taken_; }

    /// The sequences of the orders of what was delivered.
    std::vector<domain::Sequence> sequences() const {
        std::vector<domain::Sequence> all;
        for (const domain::Event& event : taken_) all.push_back(event.order.sequence);
        return all;
    }

    std::size_t calls() const { return calls_; }

private:
    static ports::DeliveryFailure failure(ports::Cause cause, bool exact) {
        return {.cause = cause, .error = "told so by the test", .exact = exact};
    }

    void take(std::span<const domain::Event> events) {
        taken_.insert(taken_.end(), events.begin(), events.end());
    }

    SinkKind kind_;
    std::string consumer_;
    std::map<domain::OrderId, ports::Cause> refused_;
    std::deque<ports::Delivery> faults_;
    std::function<void(std::span<const domain::Event>)> hook_;
    std::vector<domain::Event> taken_;
    std::size_t calls_ = 0;
};

}  // namespace firstcome::test
