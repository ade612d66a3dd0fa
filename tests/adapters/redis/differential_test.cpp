// tests/adapters/redis/differential_test.cpp - place.lua and domain::Shard say the same to all
#include "domain/replay.hpp"
#include "domain/shard.hpp"
#include "tests/adapters/redis/world.hpp"

#include <cstdlib>
#include <map>
#include <random>

namespace firstcome::redis {
namespace {

// FIRSTCOME_DIFFERENTIAL_REQUESTS=1000000 for the full run; FIRSTCOME_DIFFERENTIAL_SEED repeats
// one.
std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* const text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// The rules alone, answering like a ledger.
class Model {
public:
    Model(std::chrono::seconds ttl, const base::KeyedHash& hash, const test::ManualClock& clock)
        : clock_(clock), ids_(0, 0, entropy_), shard_(ttl, hash, ids_) {}

    domain::Outcome place(const domain::OrderRequest& request) {
        const auto decision = shard_.decide(request, clock_.wall(), clock_.monotonic());
        shard_.commit();
        if (const auto* yes = std::get_if<domain::Granted>(&decision)) {
            orders_.emplace(yes->order.id.high, yes->order);
            return domain::Accepted{.order = yes->order};
        }
        if (const auto* known = std::get_if<domain::Remembered>(&decision)) {
            return domain::replay(request, orders_.at(known->order_high));
        }
        return std::get<domain::Rejected>(decision);
    }

    std::string change(const domain::StockChange& change) {
        domain::Sale* const known = shard_.sale(change.item);
        if (known == nullptr && change.operation != domain::StockOperation::set) {
            return "item_not_found";
        }
        const domain::Sale fresh{change.item};
        const auto result = (known == nullptr ? fresh : *known).changed(change, clock_.wall());
        if (const auto* no = std::get_if<domain::StockRejected>(&result)) {
            return std::string(name(no->why));
        }
        domain::Sale& sale = shard_.open_sale(change.item);
        sale.adopt(std::get<domain::StockFigures>(result));
        if (!sale.needs_bought_counts()) return "ok";
        sale.start_counting_bought();
        for (const auto& [high, order] : orders_) {
            if (order.item == change.item) {
                sale.count_bought(shard_.hash_of(order.user), order.quantity);
            }
        }
        return "ok";
    }

    const domain::StockFigures& figures(const domain::ItemId& item) {
        return shard_.sale(item)->figures();
    }

    bool knows(const domain::ItemId& item) { return shard_.sale(item) != nullptr; }

private:
    const test::ManualClock& clock_;
    test::SeededEntropy entropy_;
    domain::OrderIdMaker ids_;
    domain::Shard shard_;
    std::map<std::uint64_t, domain::Order> orders_;
};

/// All a buyer is told, but the id, which is made by chance.
std::string told(const domain::Outcome& outcome) {
    if (const auto* yes = std::get_if<domain::Accepted>(&outcome)) {
        const domain::Order& order = yes->order;
        return test::spoken(outcome) + " " + std::string(order.user.text()) + " " +
               std::string(order.item.text()) + " x" + std::to_string(order.quantity) + " at " +
               std::to_string(order.accepted_at.time_since_epoch().count());
    }
    const auto& no = std::get<domain::Rejected>(outcome);
    return std::string(name(no.why)) + " remaining " + std::to_string(no.remaining) + " limit " +
           std::to_string(no.limit) + " used " + std::to_string(no.used) + " at " +
           std::to_string(no.at.time_since_epoch().count()) + " decided " +
           std::to_string(no.decided_at.time_since_epoch().count()) +
           (no.item_differs ? " item" : "") + (no.quantity_differs ? " quantity" : "");
}

std::string told(const domain::StockFigures& figures) {
    return std::to_string(figures.initial) + "+" + std::to_string(figures.restocked) + " left " +
           std::to_string(figures.remaining) + " sold " + std::to_string(figures.sold) +
           " orders " + std::to_string(figures.orders);
}

class Requests {
public:
    Requests(std::uint64_t seed, const base::KeyedHash& hash) : chance_(seed), hash_(hash) {}

    std::uint64_t below(std::uint64_t bound) { return chance_() % bound; }

    bool one_in(std::uint64_t n) { return below(n) == 0; }

    domain::ItemId item() { return test::item("item" + std::to_string(below(6))); }

    domain::OrderRequest order() {
        const std::string who = "user" + std::to_string(below(30));
        domain::OrderRequest request;
        request.user = test::user(who);
        request.item = item();
        request.quantity = static_cast<std::int32_t>(1 + (one_in(4) ? below(12) : 0));
        if (!one_in(3)) request.key = hash_.hash128(who, "k" + std::to_string(below(60)));
        if (one_in(2)) request.trace = {.trace_high = chance_(), .trace_low = 1, .span = 2};
        return request;
    }

    domain::StockChange change(domain::WallTime now) {
        auto change = test::stock_set(item().text(), static_cast<domain::Units>(below(3000)));
        const std::uint64_t kind = below(3);
        if (kind == 1) change.operation = domain::StockOperation::add;
        if (kind == 2) change.operation = domain::StockOperation::remove;
        const auto soon = [&] { return now + std::chrono::milliseconds{below(20'000)}; };
        if (one_in(3)) change.opens_at = one_in(3) ? std::optional{soon()} : std::nullopt;
        if (one_in(3)) change.closes_at = one_in(3) ? std::optional{soon()} : std::nullopt;
        if (one_in(5)) {
            change.per_user_limit = one_in(2)
                                        ? std::nullopt
                                        : std::optional{static_cast<domain::Units>(1 + below(400))};
        }
        return change;
    }

private:
    std::mt19937_64 chance_;
    const base::KeyedHash& hash_;
};

class Differential {
public:
    explicit Differential(std::uint64_t seed)
        : requests_(seed, shop_.hash),
          // The rules' own table lets a key live up to a second longer; Redis is exact.
          model_(ttl - std::chrono::seconds{1}, shop_.hash, shop_.clock) {
        NodeOptions options;
        options.key_ttl = ttl;
        node_ = shop_.node(options);
        open_if_closed();
    }

    /// Orders placed; 0: they differed.
    std::uint64_t step() {
        move_time();
        std::uint64_t placed = place();
        // Between two batches, so that Redis knows the time: a shard's clock stands still while it
        // has no epoch, and its keys live the longer.
        if (requests_.one_in(10)) {
            const auto change = requests_.change(shop_.clock.wall());
            EXPECT_EQ(Shop::change(node_->ledger, change), model_.change(change));
            open_if_closed();
            compare(change.item);
            placed += place();
        }
        if (++steps_ % 50 == 0) {
            EXPECT_TRUE(node_->drain());
        }
        return placed;
    }

    /// How often each kind of outcome came.
    const std::map<std::string, std::uint64_t>& seen() const { return seen_; }

private:
    static constexpr std::chrono::seconds ttl{600};

    // In whole seconds where keys age: the model counts their lives in those.
    void move_time() {
        if (requests_.one_in(5))
            shop_.clock.step_wall(std::chrono::milliseconds{
                static_cast<std::int64_t>(requests_.below(3000)) - 1500});
        if (requests_.one_in(3)) shop_.clock.pass(std::chrono::seconds{requests_.below(60)});
        if (requests_.one_in(400)) shop_.clock.pass(ttl * requests_.below(4));
    }

    // A limit that appears closes the shard until the leader has counted.
    void open_if_closed() { EXPECT_TRUE(node_->rebuild.keep()); }

    std::uint64_t place() {
        std::vector<domain::OrderRequest> batch(1 + requests_.below(64));
        for (auto& request : batch) request = requests_.order();
        if (batch.size() > 2 && requests_.one_in(2)) batch.back() = batch.front();
        std::vector<domain::Outcome> outcomes(batch.size());
        const auto placed = node_->ledger.place(batch, outcomes);
        EXPECT_TRUE(placed.has_value()) << name(placed.error());
        if (!placed) return 0;
        for (std::size_t i = 0; i < batch.size(); ++i) {
            EXPECT_EQ(told(outcomes[i]), told(model_.place(batch[i])));
            const std::string kind = test::spoken(outcomes[i]);
            ++seen_[kind.substr(0, kind.find(' '))];
        }
        for (const auto& request : batch) compare(request.item);
        return batch.size();
    }

    void compare(const domain::ItemId& item) {
        const auto shown = node_->ledger.stock(item);
        ASSERT_EQ(shown.has_value(), model_.knows(item));
        if (shown) {
            EXPECT_EQ(told(*shown), told(model_.figures(item)));
        }
    }

    Shop shop_;
    Requests requests_;
    Model model_;
    std::unique_ptr<Node> node_;
    std::uint64_t steps_ = 0;
    std::map<std::string, std::uint64_t> seen_;
};

TEST(PlaceScript, AgreesWithTheRulesOnEveryOutcomeAndFigure) {
    const std::uint64_t wanted = from_environment("FIRSTCOME_DIFFERENTIAL_REQUESTS", 60'000);
    const std::uint64_t seed = from_environment("FIRSTCOME_DIFFERENTIAL_SEED", 20261122);
    Differential differential{seed};
    for (std::uint64_t placed = 0; placed < wanted && !HasFailure();) {
        placed += differential.step();
    }
    for (const char* kind :
         {"accepted",
          "replayed",
          "sold_out",
          "insufficient_stock",
          "user_limit_exceeded",
          "sale_not_open",
          "sale_closed",
          "item_not_found",
          "idempotency_key_reused"}) {
        EXPECT_TRUE(differential.seen().contains(kind)) << kind << " was not tried";
    }
    EXPECT_FALSE(HasFailure()) << "repeat with FIRSTCOME_DIFFERENTIAL_SEED=" << seed;
}

}  // namespace
}  // namespace firstcome::redis
