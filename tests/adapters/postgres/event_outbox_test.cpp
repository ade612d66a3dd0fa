// tests/adapters/postgres/event_outbox_test.cpp - the outbox table: contract, one reader, outages
#include "adapters/postgres/event_outbox.hpp"

#include "tests/adapters/postgres/own_server.hpp"
#include "tests/adapters/postgres/world.hpp"
#include "tests/contract/outbox_contract.hpp"

namespace firstcome::test {

namespace {

using domain::Event;
using ports::OutboxError;
using postgres::EventOutbox;
using ::testing::ElementsAre;

// One database for all of them, emptied for each: making one takes longer than a test.
class PostgresOutboxWorld {
public:
    PostgresOutboxWorld() {
        psql("TRUNCATE outbox, orders, items, stock_movements, epochs RESTART IDENTITY");
        EXPECT_TRUE(postgres_.record().advance_epoch(0, ports::Epoch{}, "run-1").has_value());
        set_stock("shoe", 1'000'000);
        restart();
    }

    EventOutbox& outbox() { return *outbox_; }

    ManualClock& clock() { return postgres_.clock(); }

    std::vector<domain::Order> accept(int count) {
        std::vector<domain::Order> orders;
        while (count-- > 0) orders.push_back(order());
        return orders;
    }

    bool restart() {
        outbox_.reset();
        // The server notices the end of a session a little later.
        while (psql("SELECT count(*) FROM pg_locks WHERE classid = 1178816325") != "0") continue;
        outbox_ = make();
        return true;
    }

    std::unique_ptr<EventOutbox> make() {
        return std::make_unique<EventOutbox>(
            EventOutbox::Options{.connection = connection_to(postgres_.url())}, clock()
        );
    }

    domain::Order order(const Bought& bought = {}) {
        auto& line = lines_[std::string(bought.item)];
        if (!line) line = std::make_unique<EventMaker>(0, lines_.size());
        const std::vector event{line->accepted(bought, clock().wall())};
        EXPECT_EQ(sink_.deliver(event).delivered, 1U);
        return event[0].order;
    }

    void set_stock(std::string_view what, domain::Units units) {
        const auto none = [] { return std::optional<domain::StockFigures>{}; };
        const auto fine = [](const ports::RecordedItem&) {
            return ports::SystemOfRecord::Lowered{};
        };
        const auto done = postgres_.record().change_stock(0, stock_set(what, units), none, fine);
        EXPECT_TRUE(done.has_value());
    }

    std::string psql(std::string_view sql) const { return postgres_.psql(sql); }

    const std::string& url() const { return postgres_.url(); }

private:
    static PostgresWorld& shared() {
        static PostgresWorld world;
        return world;
    }

    PostgresWorld& postgres_ = shared();
    postgres::OrderSink sink_{
        {.connection = connection_to(postgres_.url()), .events = true},
        [this] { return std::optional(postgres_.record().epoch(0).value()); },
        [] {}};
    std::map<std::string, std::unique_ptr<EventMaker>> lines_;
    std::unique_ptr<EventOutbox> outbox_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, OutboxContract, PostgresOutboxWorld);

}  // namespace

TEST(PostgresEventOutbox, GivesWhatTheTransactionsOfOrdersWrote) {
    PostgresOutboxWorld world;
    world.set_stock("hat", 10);
    const auto order = world.order({.item = "hat", .quantity = 10});
    const auto events = world.outbox().pull(10, 0ms).value();
    std::vector<std::string> told;
    for (const Event& event : events) {
        told.push_back(
            std::string(name(event.type)) + " " + std::string(name(event.order.status)) + " " +
            std::to_string(event.remaining) + "/" + std::to_string(event.total)
        );
        EXPECT_EQ(event.order.id, order.id);
        EXPECT_EQ(event.trace.trace_low, 1U);
    }
    EXPECT_THAT(
        told,
        ElementsAre(
            "order.accepted processing 0/0",
            "order.confirmed confirmed 0/0",
            "stock.low confirmed 0/10",
            "stock.sold_out confirmed 0/10"
        )
    );
    EXPECT_EQ(events[0].id, order.id);
}

TEST(PostgresEventOutbox, HasOneReaderAtATime) {
    PostgresOutboxWorld world;
    world.order();
    const auto events = world.outbox().pull(10, 0ms).value();
    const auto other = world.make();
    EXPECT_EQ(other->pull(10, 0ms).error(), OutboxError::not_ours);
    EXPECT_EQ(other->depth().pending, events.size()) << "all tell the same, whoever reads";

    // The first one's session ends, as it would if it stood still for too long.
    world.psql(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND"
        " classid = 1178816325"
    );
    EXPECT_EQ(other->pull(10, 0ms).value().size(), events.size());
    // It may find that out only when it asks, and then who leads.
    auto known = world.outbox().acknowledge(events);
    for (int i = 0; i < 3 && !known && known.error() == OutboxError::unavailable; ++i) {
        known = world.outbox().acknowledge(events);
    }
    ASSERT_FALSE(known.has_value()) << "the other one leads";
    EXPECT_EQ(known.error(), OutboxError::not_ours);
    EXPECT_EQ(world.outbox().pull(10, 0ms).error(), OutboxError::not_ours);
    EXPECT_TRUE(other->acknowledge(events).has_value());
    EXPECT_EQ(world.psql("SELECT count(*) FROM outbox"), "0");
}

TEST(PostgresEventOutbox, DoesNotPassOverWhatIsCommittedLate) {
    PostgresOutboxWorld world;
    world.accept(2);
    const std::string first = world.psql(
        "DROP TABLE IF EXISTS late; CREATE TABLE late AS SELECT * FROM outbox WHERE position = 1;"
        "DELETE FROM outbox WHERE position = 1; SELECT id FROM late"
    );
    const auto rest = world.outbox().pull(10, 0ms).value();
    EXPECT_EQ(rest.size(), 3U);
    EXPECT_TRUE(world.outbox().acknowledge(rest).has_value());
    world.psql("INSERT INTO outbox OVERRIDING SYSTEM VALUE SELECT * FROM late");
    const auto late = world.outbox().pull(10, 0ms).value();
    ASSERT_EQ(late.size(), 1U);
    EXPECT_THAT(first, ::testing::HasSubstr(late[0].id.text()));
}

TEST(PostgresEventOutbox, IsUnavailableAtARowItDoesNotKnow) {
    PostgresOutboxWorld world;
    world.order();
    for (const char* odd :
         {"type = 'order.lost'", "payload = '{}'", "payload = payload - 'orderId'"}) {
        world.psql("CREATE TABLE kept AS SELECT * FROM outbox");
        world.psql(std::string("UPDATE outbox SET ") + odd + " WHERE position = 1");
        EXPECT_EQ(world.outbox().pull(10, 0ms).error(), OutboxError::unavailable) << odd;
        EXPECT_THAT(
            world.outbox().damage().value_or("nothing"),
            ::testing::HasSubstr("(DELETE FROM outbox WHERE position = 1)")
        );
        world.psql(
            "DELETE FROM outbox; INSERT INTO outbox OVERRIDING SYSTEM VALUE SELECT * FROM kept;"
            "DROP TABLE kept"
        );
        EXPECT_EQ(world.outbox().pull(10, 0ms).value().size(), 2U);
        EXPECT_EQ(world.outbox().damage(), std::nullopt) << "mended";
    }
}

TEST(PostgresEventOutbox, HandsOnWhatStandsBeforeARowItDoesNotKnow) {
    PostgresOutboxWorld world;
    world.order();
    world.psql("UPDATE outbox SET payload = '{}' WHERE position = 2");
    const auto before = world.outbox().pull(10, 0ms).value();
    ASSERT_EQ(before.size(), 1U);
    EXPECT_TRUE(world.outbox().acknowledge(before).has_value());
    EXPECT_EQ(world.outbox().pull(10, 0ms).error(), OutboxError::unavailable);
}

TEST(PostgresEventOutbox, IsUnavailableWhilePostgresIsDownAndGoesOnAfterwards) {
    ManualClock clock;
    EventOutbox::Options options{
        .connection = connection_to(own_server().postgres.make_database())};
    ASSERT_TRUE(postgres::prepare_database(options.connection, 1).has_value());
    EventOutbox outbox{options, clock};
    EXPECT_TRUE(outbox.pull(10, 0ms).has_value());
    own_server().postgres.kill();
    EXPECT_EQ(outbox.pull(10, 0ms).error(), OutboxError::unavailable);
    own_server().postgres.start();
    auto pulled = outbox.pull(10, 0ms);
    for (int i = 0; i < 100 && !pulled; ++i) pulled = outbox.pull(10, 0ms);
    EXPECT_TRUE(pulled.has_value());
}

}  // namespace firstcome::test
