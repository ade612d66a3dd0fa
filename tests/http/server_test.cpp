// tests/http/server_test.cpp - listening, refusing, leaving
#include "http/server.hpp"

#include "tests/http/live_server.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <future>
#include <string>
#include <sys/resource.h>
#include <vector>

namespace firstcome::http {
namespace {

TEST(Server, SpreadsConnectionsOverItsThreads) {
    LiveServer live{[](ServerOptions& options) { options.io_threads = 3; }};
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 32; ++i) clients.push_back(std::make_unique<RawClient>(live.port()));
    for (auto& client : clients) client->send(order("a"));
    ASSERT_TRUE(live.orders.has_waiting(32));
    for (std::size_t i = 0; i < 32; ++i) live.orders.reply(i);
    for (auto& client : clients) EXPECT_EQ(client->read().body, "accepted a");
    EXPECT_EQ(live.server->figures().connections_accepted, 32U);
    EXPECT_EQ(live.server->figures().connections_open, 32U);
}

TEST(Server, ListensOnIpv6) {
    LiveServer live{[](ServerOptions& options) { options.host = "::1"; }};
    RawClient client{live.port(), AF_INET6};
    EXPECT_EQ(client.ask(get("/echo/1")).status, 200U);
}

TEST(Server, SaysWhyItCannotListen) {
    LiveServer live;
    ServerOptions options;
    options.port = live.port();
    Server second{options, live.router, live.clock, live.entropy};
    const auto started = second.start();
    ASSERT_FALSE(started);
    EXPECT_NE(started.error().find("in use"), std::string::npos) << started.error();

    options.host = "localhost";
    Server third{options, live.router, live.clock, live.entropy};
    EXPECT_FALSE(third.start());
}

TEST(Server, TheLongestIdleConnectionGivesWayToANewcomer) {
    LiveServer live{[](ServerOptions& options) { options.connections_max = 3; }};
    RawClient silent{live.port()};
    ASSERT_TRUE(eventually([&] { return live.server->figures().connections_open == 1; }));
    live.clock.advance(1s);
    RawClient busy{live.port()};
    busy.send(order("a"));
    ASSERT_TRUE(live.orders.has_waiting(1));
    RawClient fresh{live.port()};
    EXPECT_EQ(fresh.ask(get("/echo/1")).status, 200U);
    live.clock.advance(1s);

    RawClient newcomer{live.port()};
    EXPECT_EQ(newcomer.ask(get("/echo/2")).status, 200U);
    EXPECT_TRUE(silent.is_closed());
    EXPECT_EQ(live.server->figures().connections_displaced, 1U);
    EXPECT_EQ(live.server->figures().connections_refused, 0U);
    EXPECT_EQ(fresh.ask(get("/echo/3")).status, 200U) << "idle, but not as long";

    RawClient refused{live.port()};
    EXPECT_EQ(refused.read().status, 503U) << "nobody has been idle for a second";
    live.orders.reply(0);
    EXPECT_EQ(busy.read().body, "accepted a") << "something was under way";
}

TEST(Server, AConnectionIsIdleFromItsAnswerOnHoweverLongThatTook) {
    LiveServer live{[](ServerOptions& options) { options.connections_max = 1; }};
    RawClient patient{live.port()};
    patient.send(order("a"));
    ASSERT_TRUE(live.orders.has_waiting(1));
    live.clock.advance(2s);
    live.orders.reply(0);
    EXPECT_EQ(patient.read().body, "accepted a");
    RawClient early{live.port()};
    EXPECT_EQ(early.read().status, 503U) << "its next request is on the way";
    ASSERT_TRUE(eventually([&] { return live.server->figures().connections_refused == 1; }));
    live.clock.advance(1s);
    RawClient late{live.port()};
    EXPECT_EQ(late.ask(get("/echo/1")).status, 200U);
    EXPECT_TRUE(patient.is_closed());
}

TEST(Server, AConnectionWhoseRequestHasComeDoesNotGiveWay) {
    LiveServer live{[](ServerOptions& options) { options.connections_max = 2; }};
    std::promise<void> began;
    std::promise<void> go_on;
    live.heard = [&](std::string_view id) {
        if (id != "first") return;
        began.set_value();
        go_on.get_future().wait();
    };
    RawClient slow{live.port()};
    ASSERT_TRUE(eventually([&] { return live.server->figures().connections_open == 1; }));
    RawClient holds{live.port()};
    ASSERT_TRUE(eventually([&] { return live.server->figures().connections_open == 2; }));
    live.clock.advance(2s);
    holds.send(get("/echo/first"));
    began.get_future().wait();
    // Whichever of the two the thread sees first.
    RawClient newcomer{live.port()};
    slow.send(get("/echo/1"));
    go_on.set_value();
    EXPECT_EQ(slow.read().status, 200U);
    EXPECT_EQ(newcomer.read().status, 503U);
    EXPECT_EQ(holds.read().status, 200U);
}

TEST(Server, RefusesMoreConnectionsThanItsCap) {
    LiveServer live{[](ServerOptions& options) { options.connections_max = 1; }};
    auto first = std::make_unique<RawClient>(live.port());
    EXPECT_EQ(first->ask(get("/echo/1")).status, 200U);
    RawClient second{live.port()};
    const Answer refused = second.read();
    EXPECT_EQ(refused.status, 503U);
    EXPECT_NE(refused.field("Retry-After"), "");
    EXPECT_TRUE(second.is_closed());
    EXPECT_EQ(live.server->figures().connections_refused, 1U);

    first.reset();
    ASSERT_TRUE(eventually([&] { return live.server->figures().connections_open == 0; }));
    RawClient third{live.port()};
    EXPECT_EQ(third.ask(get("/echo/1")).status, 200U) << "room again";
}

TEST(Server, RestsWhenDescriptorsRunOutAndGoesOnAfterwards) {
    LiveServer live;
    RawClient early{live.port()};
    EXPECT_EQ(early.ask(get("/echo/1")).status, 200U);
    // The sanitizer looks at a type once, and needs a descriptor for it: not when there are none.
    EXPECT_TRUE(eventually([] { return true; }));
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    // Fill the gaps, so that the client's descriptor is the last there is.
    std::vector<int> fillers;
    const int probe = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    const auto limit = static_cast<rlim_t>(probe) + 8;
    const rlimit tight{.rlim_cur = limit, .rlim_max = before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &tight);
    for (int fd = probe; fd >= 0; fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) {
        fillers.push_back(fd);
    }
    ::close(fillers.back());
    fillers.pop_back();
    {
        RawClient client{live.port()};
        client.send(get("/echo/2"));
        EXPECT_TRUE(eventually([&] { return live.server->figures().accept_pauses >= 1; }));
        EXPECT_EQ(early.ask(get("/echo/3")).status, 200U) << "the others are served meanwhile";
        for (const int fd : fillers) ::close(fd);
        ::setrlimit(RLIMIT_NOFILE, &before);
        EXPECT_EQ(client.read().body, "2||");
    }
}

TEST(Server, CountsRequestsByRouteAndStatus) {
    LiveServer live;
    RawClient client{live.port()};
    EXPECT_EQ(client.ask(get("/echo/1")).status, 200U);
    EXPECT_EQ(client.ask(get("/echo/2")).status, 200U);
    EXPECT_EQ(client.ask(get("/nothing")).status, 404U);
    EXPECT_EQ(client.ask("nonsense\r\n\r\n").status, 400U);
    const ServerFigures figures = live.server->figures();
    EXPECT_EQ(figures.malformed_requests, 1U);
    const auto unrouted = live.router.routes().size();
    std::string seen;
    for (const RequestFigures& row : figures.requests) {
        seen += (row.route == unrouted ? "none" : live.router.routes()[row.route].path) + " " +
                std::to_string(row.status) + " " + std::to_string(row.count) + "; ";
    }
    EXPECT_EQ(seen, "/echo/{id} 200 2; none 400 1; none 404 1; ");
    EXPECT_EQ(figures.requests[0].buckets[0], 2U);
}

TEST(ServerDrain, TellsClientsToGo) {
    LiveServer live;
    RawClient client{live.port()};
    EXPECT_EQ(client.ask(get("/echo/1")).field("Connection"), "");
    live.server->begin_drain();
    EXPECT_EQ(client.ask(get("/echo/1")).field("Connection"), "close");
    EXPECT_TRUE(client.is_closed());
    RawClient late{live.port()};
    EXPECT_EQ(late.ask(get("/echo/1")).field("Connection"), "close") << "still taken";
}

TEST(ServerDrain, AnswersWhatIsInFlightAndClosesWhatIsIdle) {
    LiveServer live;
    RawClient idle{live.port()};
    EXPECT_EQ(idle.ask(get("/echo/1")).status, 200U);
    RawClient busy{live.port()};
    busy.send(order("a"));
    ASSERT_TRUE(live.orders.has_waiting(1));
    busy.send(order("b"));  // arrived before the drain: in flight, too
    const auto deadline = live.clock.monotonic() + 10s;
    auto finished = std::async(std::launch::async, [&] { return live.server->finish(deadline); });
    EXPECT_TRUE(idle.is_closed());
    live.orders.reply(0);
    EXPECT_EQ(busy.read().body, "accepted a");
    ASSERT_TRUE(live.orders.has_waiting(2));
    // Bytes nobody reads any more would make a careless close a reset.
    busy.send(order("c"));
    live.orders.reply(1);
    const Answer last = busy.read();
    EXPECT_EQ(last.body, "accepted b");
    EXPECT_EQ(last.field("Connection"), "close");
    EXPECT_TRUE(busy.is_closed());
    idle.close();
    busy.close();
    EXPECT_EQ(finished.get(), 0U);
    EXPECT_EQ(live.server->figures().connections_open, 0U);
}

TEST(ServerDrain, CutsWhatIsStillOpenAtTheDeadlineAndSaysHowMany) {
    LiveServer live;
    RawClient busy{live.port()};
    busy.send(order("a"));
    RawClient later{live.port()};
    later.send(get("/later/1"));
    ASSERT_TRUE(live.orders.has_waiting(1));
    ASSERT_TRUE(live.calls.has_waiting(1));
    EXPECT_EQ(live.server->finish(live.clock.monotonic()), 2U);
    live.orders.reply_all();
    live.calls.answer_first("to nobody");
}

TEST(ServerDrain, BeginsNothingOfAConnectionItHasCut) {
    LiveServer live;
    RawClient later{live.port()};
    later.send(get("/later/1") + order("a"));
    ASSERT_TRUE(live.calls.has_waiting(1));
    RawClient held{live.port()};
    held.send(order("b") + get("/echo/1"));
    ASSERT_TRUE(live.orders.has_waiting(1));
    EXPECT_EQ(live.server->finish(live.clock.monotonic()), 2U);
    EXPECT_EQ(live.orders.submitted, 1) << "nobody would hear of the one behind /later/1";
    EXPECT_EQ(live.executed, 0) << "nor of what waited for the order before it";
    live.orders.reply_all();
    live.calls.answer_first("to nobody");
}

TEST(ServerDrain, RefusesNewConnectionsOnceItStoppedAccepting) {
    LiveServer live;
    RawClient before{live.port()};
    EXPECT_EQ(before.ask(get("/echo/1")).status, 200U);
    live.server->stop_accepting();
    ASSERT_TRUE(eventually([&] {
        RawClient client{live.port()};
        client.send(get("/echo/1"));
        return client.read().status == 0;
    }));
    EXPECT_EQ(before.ask(get("/echo/1")).status, 200U) << "those inside are served";
}

}  // namespace
}  // namespace firstcome::http
