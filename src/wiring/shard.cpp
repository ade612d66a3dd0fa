// src/wiring/shard.cpp - all that one node has of one shard in distributed mode
#include "wiring/shard.hpp"

#include "telemetry/log.hpp"

#include <algorithm>
#include <utility>

namespace firstcome::wiring {

namespace {

constexpr std::chrono::milliseconds beat_every{1000};  // the lead is renewed, also inside a batch
constexpr std::chrono::seconds lead_slack{3};          // beyond the longest sink call
constexpr std::chrono::seconds uncompared_max{30};     // then somebody should know
constexpr std::chrono::milliseconds lane_wait_max{2000};  // for one call of a stock change
// For all of them, a wait for the relay included: who is cut asks again, and then need not wait.
constexpr std::chrono::milliseconds lane_job_max{2500};
constexpr std::chrono::milliseconds lane_lock_max{1500};  // below it: the server says what was late

ShardOptions with_epoch(ShardOptions options, redis::NewestEpoch& newest) {
    options.ledger.handshake.newest = &newest;
    return options;
}

redis::ConnectionOptions named(redis::ConnectionOptions options, std::string_view role) {
    options.client_name += "-";
    options.client_name += role;
    return options;
}

postgres::RecordOptions record_of(const ShardOptions& options, std::string_view role) {
    postgres::RecordOptions made;
    made.connection = options.postgres;
    made.connection.name += "-";
    made.connection.name += role;
    made.events = options.events;
    // The lead is renewed before each sink call: a connection and three statements at most.
    const auto longest = options.postgres.connect_timeout + 3 * options.postgres.call_timeout;
    made.lead_timeout = longest + lead_slack;
    return made;
}

// The lane stands while a stock change waits, and orders behind it: a PostgreSQL that hangs or is
// slow must be given up well before the watchdog (5 s) takes the lane for stuck.
postgres::RecordOptions lane_record_of(const ShardOptions& options) {
    postgres::RecordOptions made = record_of(options, "lane");
    postgres::ConnectionOptions& connection = made.connection;
    connection.connect_timeout = std::min(connection.connect_timeout, lane_wait_max);
    connection.call_timeout = std::min(connection.call_timeout, lane_wait_max);
    connection.lock_timeout = std::min(connection.lock_timeout, lane_lock_max);
    return made;
}

postgres::OrderSinkOptions sink_of(const ShardOptions& options) {
    return {
        .connection = options.postgres,
        .shard = options.shard,
        .key_ttl = options.key_ttl,
        .events = options.events,
        .stock_low = options.stock_low};
}

redis::RebuildOptions rebuild_of(const ShardOptions& options) {
    redis::RebuildOptions made;
    made.shard = options.shard;
    made.key_ttl = options.key_ttl;
    made.newest = options.ledger.handshake.newest;
    return made;
}

redis::ConservationOptions conservation_of(const ShardOptions& options) {
    redis::ConservationOptions made;
    made.shard = options.shard;
    return made;
}

app::LeaderOptions leader_of(const ShardOptions& options) {
    app::LeaderOptions made;
    made.shard = options.shard;
    return made;
}

redis::LedgerOptions ledger_of(const ShardOptions& options, std::function<void()> decided) {
    redis::LedgerOptions made = options.ledger;
    made.decided = std::move(decided);
    return made;
}

redis::Ledger::Rest rest_in(base::Doorbell& rests) {
    return [&rests](std::chrono::milliseconds at_most) { rests.rest(at_most); };
}

}  // namespace

Shard::Shard(
    ShardOptions options,
    ShardBreakers breakers,
    const base::Clock& clock,
    app::DeliveredObserver delivered
)
    : options_(with_epoch(std::move(options), newest_epoch_)),
      breakers_(breakers),
      clock_(clock),
      lane_redis_(named(options_.redis, "lane"), clock),
      lane_record_(lane_record_of(options_), clock, lane_record_entropy_),
      lane_ledger_(
          ledger_of(options_, [this] { guarded_.decided(); }),
          lane_redis_,
          lane_record_,
          clock,
          lane_entropy_,
          rest_in(rests_)
      ),
      bounded_(
          lane_ledger_,
          lane_job_max,
          clock,
          [this](std::optional<base::MonotonicTime> end) { lane_record_.end_by(end); }
      ),
      guarded_(
          bounded_,
          breakers.redis,
          clock,
          &breakers.postgres,
          [this] { return lane_ == nullptr ? 0 : lane_->queue_depth(); }
      ),
      relay_redis_(named(options_.redis, "relay"), clock),
      leader_redis_(named(options_.redis, "leader"), clock),
      leader_record_(record_of(options_, "leader"), clock, leader_record_entropy_),
      leader_ledger_(
          options_.ledger, leader_redis_, leader_record_, clock, leader_entropy_, rest_in(rests_)
      ),
      outbox_(options_.shard, relay_redis_, leader_record_, clock, options_.ledger.handshake),
      outbox_reader_(options_.shard, leader_redis_, clock),
      sink_(
          sink_of(options_), [this] { return epoch_to_store_in(); }, [] {}
      ),
      traced_sink_(sink_, {.database = "postgresql"}, options_.spans, clock),
      guarded_sink_(traced_sink_, breakers.postgres, clock),
      letters_(
          {.connection = options_.postgres,
           .events = options_.events,
           .shard = options_.shard,
           .epoch = [this] { return outbox_.epoch(); }}
      ),
      rebuild_(
          rebuild_of(options_),
          leader_redis_,
          leader_record_,
          clock,
          [shard = options_.shard](std::string_view stage, std::uint64_t done) {
              log::info("rebuilding", {{"shard", shard}, {"stage", stage}, {"done", done}});
          }
      ),
      conservation_(
          conservation_of(options_), leader_redis_, leader_record_, leader_ledger_, rebuild_, clock
      ),
      relay_(
          options_.relay,
          {.outbox = outbox_,
           .sink = guarded_sink_,
           .dead_letters = letters_,
           .clock = clock,
           .entropy = relay_entropy_},
          std::move(delivered)
      ),
      leader_(leader_of(options_), duties(), clock) {}

Shard::~Shard() = default;

app::LeaderDuties Shard::duties() {
    return {
        .lead = [this] { return lead(); },
        .epoch_is_good = [this] { return rebuild_.keep(); },
        .relay = [this] { return relay_.step(); },
        .hurry =
            [this](base::MonotonicTime deadline) {
                relay_.hurry(deadline);
                rebuild_.hurry(deadline);
            },
        .conserve = [this] { conserve(); },
        .pending = [this] { return pending(); },
    };
}

std::expected<bool, ports::RecordError> Shard::lead() {
    const bool led = leader_.leading();
    if (!led) {
        compared_at_ = clock_.monotonic();
        not_compared_.clear();
    }
    const auto ours = leader_record_.lead(options_.shard);
    if (ours && *ours) beat_at_ = clock_.monotonic() + beat_every;
    if (ours && !led) look_for_newer_epoch();
    return ours;
}

// Another leader may have opened the shard on another Redis, while ours is there and answers: what
// is decided in it from then on is lost. Asked here and not on the lane, which would stand as long
// as PostgreSQL does not answer. Who leads knows, since nobody else begins an epoch.
void Shard::look_for_newer_epoch() {
    if (const auto epoch = leader_record_.epoch(options_.shard)) newest_epoch_.heard(epoch->number);
}

// A batch with refused orders takes many sink calls; the lead must not be lost over it.
std::optional<ports::Epoch> Shard::epoch_to_store_in() {
    if (clock_.monotonic() >= beat_at_ && !lead().value_or(false)) return std::nullopt;
    return outbox_.epoch();
}

// Asked of Redis, since the relay stops looking when PostgreSQL is gone.
std::uint64_t Shard::pending() {
    return outbox_reader_.pending().value_or(outbox_.depth().pending);
}

void Shard::conserve() {
    const auto checked = conservation_.check();
    note_compared(checked && checked->compared);
    if (!checked) return;  // the next second looks again
    std::vector<ports::StoreDrift> found;
    for (const redis::Drift& drift : checked->drifts) {
        // One look may have fallen into a release; a drift that is told is a broken promise.
        if (!drift.confirmed) continue;
        // Totals may differ while a stock change is on its way from one to the other.
        if (!drift.totals || drift.repaired) found.push_back({drift.item, drift.units, drift.what});
        log::warn(
            drift.repaired ? "an item was off and is repaired" : "an item is off",
            {{"shard", options_.shard}, {"item", drift.item.text()}, {"what", drift.what}}
        );
    }
    const std::lock_guard lock{drifts_mutex_};
    drifts_ = std::move(found);
}

std::vector<ports::StoreDrift> Shard::drifts() const {
    if (!leading()) return {};
    const std::lock_guard lock{drifts_mutex_};
    return drifts_;
}

void Shard::note_compared(bool compared) {
    const auto now = clock_.monotonic();
    if (compared) {
        compared_at_ = now;
        if (not_compared_.text()) log::info("compared again", {{"shard", options_.shard}});
        return not_compared_.clear();
    }
    if (now - compared_at_ < uncompared_max) return;
    const std::string text =
        "shard " + std::to_string(options_.shard) +
        ": Redis and PostgreSQL have not been compared for more than 30 s, because too many orders "
        "wait in the outbox or one of the two does not answer: PostgreSQL takes orders slower than "
        "they come; look at its load and its disk";
    if (not_compared_.set(text)) log::warn(text);
}

void Shard::start(app::OrderLane& lane) {
    lane_ = &lane;
    leader_.start();
}

void Shard::refresh() {
    if (lane_ == nullptr || refreshing_.exchange(true)) return;
    const bool asked = lane_->run_on_lane([this](ports::OrderLedger&) {
        if (auto permit = breakers_.redis.try_acquire(clock_.monotonic())) {
            const auto refreshed = lane_ledger_.refresh();
            const bool failed = !refreshed && guarded::counts_as_failure(refreshed.error());
            if (failed) {
                permit->fail(clock_.monotonic());
            } else {
                permit->succeed(clock_.monotonic());
            }
            if (refreshed) refreshed_.store(true);
            rebuilding_.store(!refreshed && refreshed.error() == ports::LedgerError::rebuilding);
        }
        refreshing_.store(false);
    });
    if (!asked) refreshing_.store(false);
}

std::vector<std::string> Shard::troubles() const {
    std::vector<std::string> all;
    if (!leader_.leading()) return all;
    for (const auto& each : {outbox_.damage(), rebuild_.trouble(), not_compared_.text()}) {
        if (each && std::ranges::find(all, *each) == all.end()) all.push_back(*each);
    }
    return all;
}

std::uint64_t Shard::drain(base::MonotonicTime deadline) {
    return leader_.drain(deadline);
}

}  // namespace firstcome::wiring
