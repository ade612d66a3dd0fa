// src/cli/bench_witness.cpp - counting answers and holding each against what it must have been
#include "cli/bench_witness.hpp"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace firstcome::cli {

namespace {

void add(std::atomic<std::uint64_t>& counter, std::uint64_t by = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

void add(std::atomic<std::uint64_t>& counter, const std::atomic<std::uint64_t>& by) {
    add(counter, by.load(std::memory_order_relaxed));
}

bool refusal_of_stock(const OrderAnswer& answer) {
    return answer.code == "sold_out" || answer.code == "insufficient_stock" ||
           answer.code == "sale_not_open" || answer.code == "sale_closed";
}

// A buyer that is told to wait may be told so in any scenario; it is counted, not a broken promise.
bool possible(const Wish& wish, const OrderAnswer& answer) {
    if (!answer.definite()) return answer.status != 500;
    switch (wish.kind) {
        case Kind::repeated:
            if (wish.settled) return answer.accepted() && answer.replayed;
            [[fallthrough]];
        case Kind::fresh:
            return answer.accepted() || refusal_of_stock(answer) ||
                   answer.code == "user_limit_exceeded";
        case Kind::reused: return answer.code == "idempotency_key_reused";
        case Kind::over_limit: return answer.code == "user_limit_exceeded";
        case Kind::unknown_item: return answer.code == "item_not_found";
    }
    return false;
}

std::string_view name(Kind kind) {
    switch (kind) {
        case Kind::fresh: return "a new order";
        case Kind::repeated: return "a repeat";
        case Kind::reused: return "a used key with another payload";
        case Kind::over_limit: return "an order above the user's limit";
        case Kind::unknown_item: return "an order of an unknown item";
    }
    return "?";
}

}  // namespace

bool SequenceSet::insert(std::uint64_t sequence) {
    if (sequence == 0 || sequence > sequence_max) return false;
    const std::size_t at = sequence / chunk_bits;
    if (at >= chunks_.size()) chunks_.resize(at + 1);
    if (!chunks_[at]) chunks_[at] = std::make_unique<Chunk>();
    std::uint64_t& word = (*chunks_[at])[sequence % chunk_bits / 64];
    const std::uint64_t bit = std::uint64_t{1} << (sequence % 64);
    if ((word & bit) != 0) return false;
    word |= bit;
    lowest_ = count_ == 0 ? sequence : std::min(lowest_, sequence);
    highest_ = std::max(highest_, sequence);
    ++count_;
    return true;
}

std::uint64_t SequenceSet::merge(const SequenceSet& other) {
    if (other.count_ == 0) return 0;
    std::uint64_t twice = 0;
    if (other.chunks_.size() > chunks_.size()) chunks_.resize(other.chunks_.size());
    for (std::size_t at = 0; at < other.chunks_.size(); ++at) {
        if (!other.chunks_[at]) continue;
        if (!chunks_[at]) chunks_[at] = std::make_unique<Chunk>();
        for (std::size_t word = 0; word < chunks_[at]->size(); ++word) {
            const std::uint64_t theirs = (*other.chunks_[at])[word];
            twice += static_cast<std::uint64_t>(std::popcount((*chunks_[at])[word] & theirs));
            (*chunks_[at])[word] |= theirs;
        }
    }
    lowest_ = count_ == 0 ? other.lowest_ : std::min(lowest_, other.lowest_);
    highest_ = std::max(highest_, other.highest_);
    count_ += other.count_ - twice;
    return twice;
}

std::uint64_t SequenceSet::gaps() const {
    return count_ == 0 ? 0 : highest_ - lowest_ + 1 - count_;
}

void Findings::add(std::string sentence) {
    ++count;
    keep(std::move(sentence));
}

void Findings::keep(std::string sentence) {
    if (first.size() >= kept_max) return;
    if (std::find(first.begin(), first.end(), sentence) != first.end()) return;
    first.push_back(std::move(sentence));
}

void Findings::merge(const Findings& other) {
    count += other.count;
    for (const std::string& sentence : other.first) {
        keep(sentence);
    }
}

void Witness::answered(
    const Wish& wish, const OrderAnswer& answer, Timing timing, RecentOrders* recent
) {
    count(answer);
    if (!possible(wish, answer)) check_expected(wish, answer);
    if (answer.accepted()) return accept(wish, answer, timing, recent);
    if (answer.code == "sold_out") first_sold_out = std::min(first_sold_out, timing.received);
}

void Witness::count(const OrderAnswer& answer) {
    add(live.answers);
    const auto same = [&answer](const AnswerCount& known) {
        return known.status == answer.status && known.code == answer.code;
    };
    if (last_answer_ < answers.size() && same(answers[last_answer_])) {
        ++answers[last_answer_].count;
        return;
    }
    auto found = std::find_if(answers.begin(), answers.end(), same);
    constexpr std::size_t kinds_max = 64;
    if (found == answers.end() && answers.size() < kinds_max) {
        answers.push_back({.status = answer.status, .code = std::string{answer.code}});
        found = answers.end() - 1;
    }
    if (found == answers.end()) return;
    ++found->count;
    last_answer_ = static_cast<std::size_t>(found - answers.begin());
}

void Witness::check_expected(const Wish& wish, const OrderAnswer& answer) {
    broken.add(fmt::format(
        "{} (number {}) was answered {} {}{}",
        name(wish.kind),
        wish.serial,
        answer.status,
        answer.code,
        answer.replayed ? " replayed" : ""
    ));
}

void Witness::accept(
    const Wish& wish, const OrderAnswer& answer, Timing timing, RecentOrders* recent
) {
    RecentOrders::Order* known = recent == nullptr ? nullptr : recent->find(wish.serial);
    if (is_replay(wish, answer, known)) return;
    add(live.accepted);
    // A retry may stand in for an earlier request that came first: it says nothing about fairness.
    if (!answer.replayed && wish.attempts == 0) {
        last_accepted_sent = std::max(last_accepted_sent, timing.sent);
    }
    if (!sequences.insert(answer.sequence)) {
        broken.add(fmt::format(
            "order {} has sequence {}, which was given out before or is none",
            answer.order_id,
            answer.sequence
        ));
    }
    AcceptedOrder order{.serial = wish.serial, .sequence = answer.sequence};
    order.accepted_at_hash = XXH3_64bits(answer.accepted_at.data(), answer.accepted_at.size());
    if (answer.order_id.size() == order.id.size()) {
        std::copy(answer.order_id.begin(), answer.order_id.end(), order.id.begin());
    } else {
        broken.add(fmt::format("\"{}\" is no order id", answer.order_id));
    }
    keep(order);
}

bool Witness::is_replay(const Wish& wish, const OrderAnswer& answer, RecentOrders::Order* known) {
    if (answer.replayed) ++replays;
    if (known == nullptr) return wish.kind == Kind::repeated && answer.replayed;
    if (!answer.replayed) {
        if (known->made) broken.add(fmt::format("number {} was ordered twice", wish.serial));
        known->made = true;
    }
    if (!known->accepted) {
        known->accepted = true;
        known->body_hash = answer.body_hash;
        return false;
    }
    if (known->body_hash == answer.body_hash) {
        ++replays_compared;
    } else {
        broken.add(fmt::format("number {} was answered twice with different bytes", wish.serial));
    }
    return true;
}

void Witness::keep(const AcceptedOrder& order) {
    if (first_orders.size() < first_orders_max || order.sequence < first_orders.back().sequence) {
        const auto place = std::upper_bound(
            first_orders.begin(),
            first_orders.end(),
            order,
            [](const auto& a, const auto& b) { return a.sequence < b.sequence; }
        );
        first_orders.insert(place, order);
        if (first_orders.size() > first_orders_max) first_orders.pop_back();
    }
    ++offered_;
    if (accepted_orders.size() < sample_max_) {
        accepted_orders.push_back(order);
        return;
    }
    if (sample_max_ == 0) return;
    // Reservoir sampling: each of the orders so far is kept with the same chance.
    seed_ = seed_ * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
    const std::uint64_t place = (seed_ >> 20U) % offered_;
    if (place < sample_max_) accepted_orders[place] = order;
}

void Witness::lost(std::uint64_t orders) {
    add(live.unknown, orders);
}

void Witness::connection_error(std::string_view what) {
    add(live.connection_errors);
    faults.add(std::string{what});
}

void Witness::merge(const Witness& other) {
    add(live.calls, other.live.calls);
    add(live.answers, other.live.answers);
    add(live.accepted, other.live.accepted);
    add(live.unknown, other.live.unknown);
    add(live.connection_errors, other.live.connection_errors);
    accepted_latency.merge(other.accepted_latency);
    other_latency.merge(other.other_latency);
    for (const AnswerCount& theirs : other.answers) {
        const auto mine = std::find_if(answers.begin(), answers.end(), [&](const AnswerCount& a) {
            return a.status == theirs.status && a.code == theirs.code;
        });
        if (mine == answers.end())
            answers.push_back(theirs);
        else
            mine->count += theirs.count;
    }
    for (std::uint64_t twice = sequences.merge(other.sequences); twice > 0; --twice) {
        broken.add("one sequence number was given to two orders");
    }
    accepted_orders.insert(
        accepted_orders.end(), other.accepted_orders.begin(), other.accepted_orders.end()
    );
    first_orders.insert(first_orders.end(), other.first_orders.begin(), other.first_orders.end());
    std::sort(first_orders.begin(), first_orders.end(), [](const auto& a, const auto& b) {
        return a.sequence < b.sequence;
    });
    if (first_orders.size() > first_orders_max) first_orders.resize(first_orders_max);
    replays += other.replays;
    replays_compared += other.replays_compared;
    retries += other.retries;
    never_sent += other.never_sent;
    broken.merge(other.broken);
    faults.merge(other.faults);
    first_sold_out = std::min(first_sold_out, other.first_sold_out);
    last_accepted_sent = std::max(last_accepted_sent, other.last_accepted_sent);
}

}  // namespace firstcome::cli
