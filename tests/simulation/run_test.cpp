// tests/simulation/run_test.cpp - how a seed becomes steps, and what is compared after each
#include "tests/simulation/run.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

namespace firstcome::simulation {
namespace {

using domain::Accepted;
using domain::Outcome;
using domain::Rejected;
using domain::StockFigures;
using namespace std::chrono_literals;

constexpr int steps = 40;

std::string spelled(const std::optional<domain::WallTime>& time) {
    return time ? std::to_string(time->time_since_epoch().count()) : "-";
}

std::string spelled(const Rejected& no) {
    std::ostringstream out;
    out << domain::name(no.why) << " remaining=" << no.remaining << " limit=" << no.limit
        << " used=" << no.used << " at=" << spelled(no.at) << " decided=" << spelled(no.decided_at)
        << " item_differs=" << no.item_differs << " quantity_differs=" << no.quantity_differs;
    return out.str();
}

std::string spelled(const StockFigures& figures) {
    std::ostringstream out;
    out << figures.item.text() << " initial=" << figures.initial
        << " restocked=" << figures.restocked << " remaining=" << figures.remaining
        << " sold=" << figures.sold << " compensating=" << figures.compensating
        << " orders=" << figures.orders << " opens=" << spelled(figures.window.opens_at)
        << " closes=" << spelled(figures.window.closes_at)
        << " limit=" << (figures.per_user_limit ? std::to_string(*figures.per_user_limit) : "-");
    return out.str();
}

std::string spelled(const ports::StockResult& result) {
    if (const auto* no = std::get_if<domain::StockRejected>(&result)) {
        std::ostringstream out;
        out << domain::name(no->why) << " committed=" << no->committed << " total=" << no->total;
        return out.str();
    }
    const auto& yes = std::get<ports::StockChanged>(result);
    return (yes.replayed ? "again " : "changed ") + spelled(yes.figures) +
           " as_of=" + spelled(yes.figures.as_of);
}

std::string spelled(ports::Release release) {
    switch (release) {
        case ports::Release::released: return "released";
        case ports::Release::already_released: return "already_released";
        case ports::Release::order_not_found: return "order_not_found";
    }
    FC_UNREACHABLE();
}

std::string spelled(
    const Ask& ask, domain::Sequence sequence, base::WallTime at, std::string_view status
) {
    std::ostringstream out;
    out << "#" << sequence << " " << ask.user << " " << ask.quantity << "x" << ask.item << " at "
        << spelled(at) << " " << status;
    return out.str();
}

std::string spelled(const domain::Order& order) {
    const Ask ask{
        std::string(order.user.text()), std::string(order.item.text()), order.quantity, {}};
    return spelled(ask, order.sequence, order.accepted_at, domain::name(order.status));
}

std::string spelled(const Ask& ask) {
    return ask.user + " asks " + std::to_string(ask.quantity) + "x" + ask.item +
           (ask.key ? " key " + *ask.key : "");
}

class Run {
public:
    Run(std::uint64_t seed, const std::vector<std::unique_ptr<Subject>>& subjects)
        : random_(seed), restarts_(seed % 2 == 0), model_(key_ttl) {
        for (const auto& subject : subjects) subjects_.push_back({subject.get(), {}});
    }

    std::optional<std::string> go() {
        change();
        for (step_ = 1; step_ <= steps && !difference_; ++step_) {
            const std::uint64_t kind = draw(20);
            if (kind < 11) {
                place();
            } else if (kind < 14) {
                change();
            } else if (kind < 16) {
                release();
            } else if (kind < 19) {
                move_clocks();
            } else if (restarts_) {
                for (Known& known : subjects_) known.subject->restart();
            } else {
                step_wall_clocks();
            }
            compare_figures();
        }
        if (restarts_) {
            for (Known& known : subjects_) known.subject->restart();
        }
        compare_figures();
        compare_orders();
        return difference_;
    }

private:
    struct Known {
        Subject* subject;
        std::vector<domain::OrderId> ids;  // of the model's orders
    };

    std::uint64_t draw(std::uint64_t below) { return random_.next() % below; }

    void expect(
        const Known& known, std::string_view what, std::string_view expected, std::string_view got
    ) {
        if (difference_ || expected == got) return;
        std::ostringstream out;
        out << "step " << step_ << ", " << known.subject->name() << ", " << what
            << "\n  expected: " << expected << "\n  got:      " << got;
        difference_ = out.str();
    }

    Ask any_ask() {
        static constexpr std::string_view items[] = {"shoe", "hat", "sock", "ghost"};
        Ask ask;
        ask.user = "user-" + std::to_string(draw(4));
        ask.item = items[std::min(draw(4), draw(4))];
        ask.quantity = static_cast<std::int32_t>(1 + std::min(draw(4), draw(4)));
        if (draw(3) != 0) ask.key = "key-" + std::to_string(draw(5));
        return ask;
    }

    // Often one asked before: word for word, or with another payload.
    Ask next_ask() {
        if (asked_.empty() || draw(3) != 0) return any_ask();
        Ask ask = asked_[draw(asked_.size())];
        if (draw(5) == 0) ask.quantity = 1 + ask.quantity % 4;
        if (draw(8) == 0) ask.item = "hat";
        return ask;
    }

    void place() {
        std::vector<Ask> asks(1 + draw(10));
        for (Ask& ask : asks) {
            ask = next_ask();
            asked_.push_back(ask);
        }
        Model after = model_;
        std::vector<Expected> expected;
        const auto& clock = subjects_.front().subject->clock();
        for (const Ask& ask : asks) {
            expected.push_back(after.place(ask, clock.wall(), clock.monotonic()));
        }
        const bool writes = after.orders().size() > model_.orders().size();
        const bool fails = writes && draw(8) == 0;
        for (Known& known : subjects_) {
            std::vector<domain::OrderRequest> batch;
            for (const Ask& ask : asks) batch.push_back(request_of(ask, *known.subject));
            std::vector<Outcome> outcomes(batch.size());
            std::expected<void, ports::LedgerError> result;
            call(known, fails, [&] { result = known.subject->ledger().place(batch, outcomes); });
            expect(known, "place", fails ? "storage_full" : "", said(result));
            if (!result) continue;
            for (std::size_t i = 0; i < asks.size() && !difference_; ++i) {
                compare(known, after, asks[i], expected[i], outcomes[i]);
            }
        }
        if (!fails) model_ = std::move(after);
    }

    static domain::OrderRequest request_of(const Ask& ask, Subject& subject) {
        domain::OrderRequest request;
        request.user = domain::UserId::from(ask.user).value();
        request.item = domain::ItemId::from(ask.item).value();
        request.quantity = ask.quantity;
        if (ask.key) request.key = subject.hash().hash128(ask.user, *ask.key);
        return request;
    }

    static void call(Known& known, bool fails, const std::function<void()>& work) {
        if (fails) {
            known.subject->without_room(work);
        } else {
            work();
        }
    }

    template <typename T>
    static std::string said(const std::expected<T, ports::LedgerError>& result) {
        return result ? "" : std::string(ports::name(result.error()));
    }

    void compare(
        Known& known,
        const Model& after,
        const Ask& ask,
        const Expected& expected,
        const Outcome& outcome
    ) {
        const auto* yes = std::get_if<Accepted>(&outcome);
        const std::string got = yes == nullptr
                                    ? spelled(std::get<Rejected>(outcome))
                                    : (yes->replayed ? "again " : "new ") + spelled(yes->order);
        if (const auto* no = std::get_if<Rejected>(&expected)) {
            return expect(known, spelled(ask), spelled(*no), got);
        }
        const auto [index, again] = std::get<Sold>(expected);
        const SoldOrder& sold = after.orders()[index];
        expect(
            known,
            spelled(ask),
            (again ? "again " : "new ") + spelled(sold.ask, sold.sequence, sold.at, "confirmed"),
            got
        );
        if (difference_) return;
        if (again) {
            expect(known, "the id of a repeat", known.ids[index].text(), yes->order.id.text());
            return;
        }
        if (!known.ids.empty() && yes->order.id.high <= known.ids.back().high) {
            expect(known, "a new id", "above " + known.ids.back().text(), yes->order.id.text());
        }
        known.ids.push_back(yes->order.id);
    }

    AdminChange any_change() {
        if (!changes_.empty() && draw(4) == 0) return changes_[draw(changes_.size())];
        static constexpr std::string_view items[] = {"shoe", "hat", "sock"};
        AdminChange wanted;
        domain::StockChange& change = wanted.change;
        change.item = domain::ItemId::from(items[std::min(draw(3), draw(3))]).value();
        change.operation = static_cast<domain::StockOperation>(draw(3));
        change.quantity = static_cast<domain::Units>(draw(12));
        const auto now = subjects_.front().subject->clock().wall();
        const auto near_time = [&] { return now + 2'500ms * (static_cast<int>(draw(12)) - 2); };
        const auto time = [&](std::optional<std::optional<domain::WallTime>>& field) {
            const std::uint64_t kind = draw(10);
            if (kind == 0) field = near_time();
            if (kind == 1 || kind == 2) field = std::optional<domain::WallTime>{};
        };
        time(change.opens_at);
        time(change.closes_at);
        const std::uint64_t limit = draw(5);
        if (limit == 0) change.per_user_limit = static_cast<domain::Units>(draw(7));
        if (limit == 1) change.per_user_limit = std::optional<domain::Units>{};
        if (draw(2) == 0) wanted.key = "change-" + std::to_string(draw(4));
        return wanted;
    }

    void change() {
        const AdminChange wanted = any_change();
        changes_.push_back(wanted);
        Model after = model_;
        const auto expected = after.change(wanted, subjects_.front().subject->clock().wall());
        const auto* yes = std::get_if<ports::StockChanged>(&expected);
        const bool fails = yes != nullptr && !yes->replayed && draw(8) == 0;
        for (Known& known : subjects_) {
            domain::StockChange asked = wanted.change;
            if (wanted.key) asked.key = known.subject->hash().hash128("admin", *wanted.key);
            std::expected<ports::StockResult, ports::LedgerError> result;
            call(known, fails, [&] { result = known.subject->ledger().change_stock(asked); });
            expect(known, "change", fails ? "storage_full" : "", said(result));
            if (result) expect(known, "change", spelled(expected), spelled(*result));
        }
        if (!fails) model_ = std::move(after);
    }

    void release() {
        if (model_.orders().empty()) return;
        const std::size_t index = draw(model_.orders().size());
        const bool guessed = draw(6) == 0;
        Model after = model_;
        const auto expected = guessed ? ports::Release::order_not_found : after.release(index);
        const bool fails = expected == ports::Release::released && draw(8) == 0;
        for (Known& known : subjects_) {
            domain::OrderId id = known.ids[index];
            if (guessed) id.low ^= 1U;
            std::expected<ports::Release, ports::LedgerError> result;
            call(known, fails, [&] { result = known.subject->ledger().release(id, "simulated"); });
            expect(known, "release", fails ? "storage_full" : "", said(result));
            if (result) expect(known, "release", spelled(expected), spelled(*result));
        }
        if (!fails) model_ = std::move(after);
    }

    // In steps of 2.5 s, so that windows' edges are met and no key is asked for in the one second
    // in which it may or may not be gone.
    void move_clocks() {
        const std::uint64_t kind = draw(6);
        auto by = kind == 0 ? 62'500ms : 2'500ms * static_cast<int>(draw(5));
        if (kind < 4) by = to_next_edge().value_or(by);
        for (Known& known : subjects_) known.subject->clock().pass(by);
    }

    // Just to the instant at which some sale opens or closes next.
    std::optional<std::chrono::milliseconds> to_next_edge() {
        const auto now = subjects_.front().subject->clock().wall();
        std::optional<std::chrono::milliseconds> nearest;
        for (const auto& [name, item] : model_.items()) {
            for (const auto& edge : {item.opens_at, item.closes_at}) {
                if (!edge || *edge <= now || *edge - now > 60s) continue;
                if (!nearest || *edge - now < *nearest) nearest = *edge - now;
            }
        }
        return nearest;
    }

    void step_wall_clocks() {
        static constexpr std::chrono::milliseconds jumps[] = {-24h, -1h, -5s, 5s, 1h, 24h};
        const auto by = jumps[draw(std::size(jumps))];
        for (Known& known : subjects_) known.subject->clock().step_wall(by);
    }

    void compare_figures() {
        for (Known& known : subjects_) {
            ports::OrderLedger& ledger = known.subject->ledger();
            std::string expected;
            std::string got;
            for (const auto& [name, item] : model_.items()) {
                expected += spelled(model_.figures(name)) + "\n";
            }
            for (const StockFigures& figures : ledger.all_stock()) {
                got += spelled(figures) + "\n";
                const auto alone = ledger.stock(figures.item);
                expect(known, "one item", spelled(figures), alone ? spelled(*alone) : "nothing");
            }
            expect(known, "figures", expected, got);
        }
    }

    void compare_orders() {
        for (Known& known : subjects_) {
            if (difference_) return;
            ports::OrderStore& store = known.subject->store();
            std::map<std::string, std::vector<std::string>> of_user;
            for (std::size_t i = 0; i < model_.orders().size(); ++i) {
                const SoldOrder& sold = model_.orders()[i];
                const auto found = store.find(known.ids[i]);
                const std::string expected = spelled(
                    sold.ask, sold.sequence, sold.at, sold.released ? "failed" : "confirmed"
                );
                expect(known, "find", expected, found && *found ? spelled(**found) : "nothing");
                of_user[sold.ask.user].push_back(known.ids[i].text());
            }
            for (auto& [name, ids] : of_user) {
                std::ranges::reverse(ids);
                expect(known, "list of " + name, joined(ids), joined(listed(store, name)));
            }
        }
    }

    static std::vector<std::string> listed(ports::OrderStore& store, const std::string& name) {
        ports::OrderQuery query{
            .user = domain::UserId::from(name).value(),
            .item = {},
            .status = {},
            .limit = 3,
            .after = {}};
        std::vector<std::string> ids;
        while (true) {
            const auto page = store.list(query);
            if (!page) return {std::string(ports::name(page.error()))};
            for (const domain::Order& order : page->orders) ids.push_back(order.id.text());
            if (!page->next) return ids;
            query.after = page->next;
        }
    }

    static std::string joined(const std::vector<std::string>& ids) {
        std::string all;
        for (const std::string& id : ids) all += id + " ";
        return all;
    }

    test::SeededEntropy random_;
    bool restarts_;
    Model model_;
    std::vector<Known> subjects_;
    std::vector<Ask> asked_;
    std::vector<AdminChange> changes_;
    int step_ = 0;
    std::optional<std::string> difference_;
};

}  // namespace

std::optional<std::string> first_difference(
    std::uint64_t seed, const std::vector<std::unique_ptr<Subject>>& subjects
) {
    return Run{seed, subjects}.go();
}

}  // namespace firstcome::simulation
