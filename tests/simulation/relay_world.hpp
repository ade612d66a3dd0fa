// tests/simulation/relay_world.hpp - two nodes, one outbox, one truth, and all that can go wrong
#pragma once

#include "adapters/memory/dead_letters.hpp"
#include "app/dead_letter_desk.hpp"
#include "app/relay.hpp"
#include "app/shard_leader.hpp"
#include "tests/support/manual.hpp"

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace firstcome::simulation {

/// A mistake in the relay or the desk, made by the port it calls: what comes out is the same.
enum class Planted : std::uint8_t {
    none,
    acknowledges_before_delivery,
    acknowledges_before_park,
    counts_what_passes_by_itself,
    loses_a_half_when_splitting,
    gives_up_what_is_being_tried,
    overtakes_what_waits,
};

/// Thrown out of a port: the process ended there.
struct Crash {};

class RelayWorld;

/// What all ports of a node have in common.
struct Place {
    RelayWorld* world;
    unsigned node;
};

class NodeOutbox final : public ports::Outbox {
public:
    explicit NodeOutbox(Place at) : at_(at) {}

    std::expected<std::vector<domain::Event>, ports::OutboxError> pull(
        std::size_t max, std::chrono::milliseconds wait
    ) override;
    std::expected<void, ports::OutboxError> acknowledge(std::span<const domain::Event> events
    ) override;
    ports::OutboxDepth depth() const override;

private:
    Place at_;
};

/// The truth's door: a relay's is open to the leader only, a desk's always.
class NodeSink final : public ports::EventSink {
public:
    NodeSink(Place at, bool relays) : at_(at), relays_(relays) {}

    std::string_view consumer() const override { return "orders"; }

    ports::Delivery deliver(std::span<const domain::Event> events) override;

private:
    Place at_;
    bool relays_;
};

/// One node's view of the dead letters, where a call may fail or be its process's last.
class NodeLetters final : public ports::DeadLetters {
public:
    NodeLetters(Place at, std::unique_ptr<memory::DeadLetters> view)
        : at_(at), view_(std::move(view)) {}

    using Id = ports::DeadLetterId;
    using Time = domain::WallTime;

    Result<void> park(
        const domain::Event& event,
        std::string_view consumer,
        const ports::DeliveryFailure& failure,
        Time now,
        Time next_attempt
    ) override;
    Result<std::vector<ports::DeadLetter>> claim_due(
        std::string_view consumer, Time now, Time claim_until, std::size_t max
    ) override;
    Result<void> resolve(Id id, Time now) override;
    Result<void> failed_again(
        Id id,
        const ports::DeliveryFailure& failure,
        bool counts,
        Time now,
        std::optional<Time> next_attempt
    ) override;

    Result<std::optional<ports::DeadLetter>> find(Id id) override { return view_->find(id); }

    Result<ports::DeadLetterPage> list(
        const ports::DeadLetterFilter& filter, std::size_t limit, std::optional<Id> below
    ) override {
        return view_->list(filter, limit, below);
    }

    Result<ports::DeadLetterTotals> totals() override { return view_->totals(); }

    Result<ports::DeadLetter> retry(Id id, Time now) override { return view_->retry(id, now); }

    Result<ports::DeadLetter> discard(
        Id id, std::string_view reason, std::string_view who, Time now
    ) override;
    Result<std::vector<ports::DeadLetter>> undone(std::size_t max) override;
    Result<void> compensated(Id id) override;

    Result<std::size_t> forget_settled(Time before, std::size_t max) override {
        return view_->forget_settled(before, max);
    }

    Result<ports::RedriveTask> start_redrive(
        const ports::DeadLetterFilter& filter, unsigned per_second, Time now
    ) override {
        return view_->start_redrive(filter, per_second, now);
    }

    Result<std::optional<ports::RedriveTask>> continue_redrive(std::size_t max, Time now) override {
        return view_->continue_redrive(max, now);
    }

    Result<ports::RedriveTask> cancel_redrive(std::int64_t task, Time now) override {
        return view_->cancel_redrive(task, now);
    }

    Result<ports::RedriveTask> redrive(std::int64_t task) override { return view_->redrive(task); }

    Result<std::vector<ports::RedriveTask>> redrives() override { return view_->redrives(); }

private:
    Place at_;
    std::unique_ptr<memory::DeadLetters> view_;
};

/// One process; a new one after a crash.
struct NodeProcess {
    explicit NodeProcess(Place at);

    NodeOutbox outbox;
    NodeSink relay_sink;
    NodeSink desk_sink;
    NodeLetters relay_letters;
    NodeLetters desk_letters;
    app::Relay relay;
    app::DeadLetterDesk desk;
    app::ShardLeader leader;
};

/// What an event has come to.
struct Fate {
    bool pending = true;     ///< in the outbox
    bool confirmed = false;  ///< a live order in the truth
    bool failed = false;     ///< given up in the truth
    int given_back = 0;      ///< times its units went back
    int refusals_left = 0;   ///< how often the truth will still refuse it
    int refused = 0;         ///< how often it stood alone and was refused
    bool parked = false;     ///< ever
};

/// How often the interesting happened: a simulation that meets nothing proves nothing.
struct Met {
    int crashes = 0;
    int leads_lost = 0;  ///< while the leader stood still
    int repeated = 0;    ///< events that were in the truth already
    int parked = 0;
    int given_up = 0;
    int in_the_way = 0;  ///< discards of what was being tried or settled
    int stored_by_desk = 0;
    int kept_out = 0;  ///< events that were given up before they came
};

class RelayWorld {
public:
    RelayWorld(std::uint64_t seed, Planted bug);

    [[nodiscard]] const Met& met() const { return met_; }

    /// Runs the seed to its end. Nothing: all promises were kept; else the first broken one.
    std::optional<std::string> first_violation();

private:
    friend NodeOutbox;
    friend NodeSink;
    friend NodeLetters;
    friend NodeProcess;

    static constexpr unsigned nobody = 99;

    bool one_in(std::uint64_t n) { return chaos_ && chance_.next() % n == 0; }

    void put_events(unsigned count);
    void act(unsigned node);
    void give_up_something(unsigned node);
    void restart(unsigned node);
    void calm_down();
    /// A place where the process may end, or stand still while the other one goes on.
    void touch(Place at);
    bool fault(Place at);
    std::expected<bool, ports::RecordError> lead(unsigned node);
    std::expected<ports::Release, ports::LedgerError> release(Place at, domain::OrderId order);
    void store(const domain::Event& event, bool directly);
    void broken(const std::string& what);
    void check_place_of_each();

    Planted bug_;
    bool chaos_ = true;
    test::SeededEntropy chance_;
    test::ManualClock clock_;
    bool standing_still_ = false;  // one node does, and the other one acts
    ports::DeadLetterId last_parked_ = 0;

    std::deque<domain::Event> outbox_;
    std::map<domain::OrderId, Fate> fates_;
    std::map<domain::ItemId, domain::Sequence> put_;
    std::map<domain::ItemId, domain::Sequence> last_direct_;
    memory::DeadLetters letters_;
    std::map<domain::OrderId, ports::DeadLetterId> entries_;
    unsigned leader_ = nobody;  // who holds the lock
    std::array<std::map<ports::DeadLetterId, domain::WallTime>, 2> trying_;
    std::optional<std::string> broken_;
    Met met_;
    bool exact_ = false;  // the sink knows which event it refuses

    std::array<std::unique_ptr<NodeProcess>, 2> nodes_;
};

}  // namespace firstcome::simulation
