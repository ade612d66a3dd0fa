// tests/http/session_test.cpp - one connection as its client sees it, over a real socket
#include "http/session.hpp"

#include "http/gate.hpp"
#include "tests/http/live_server.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::http {
namespace {

TEST(Session, AnswersWithTheFieldsEveryAnswerHas) {
    LiveServer live;
    RawClient client{live.port()};
    const Answer answer = client.ask(
        "POST /echo/7?q=1 HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine-1\r\nContent-Length: "
        "2\r\n\r\nhi"
    );
    EXPECT_EQ(answer.status, 200U);
    EXPECT_EQ(answer.body, "7|q=1|hi");
    EXPECT_TRUE(answer.head.starts_with("HTTP/1.1 200 OK\r\n"));
    EXPECT_EQ(answer.field("Date"), "Thu, 01 Jan 2026 01:00:00 GMT");
    EXPECT_EQ(answer.field("Content-Type"), "text/plain");
    EXPECT_EQ(answer.field("X-Request-Id"), "mine-1");
    EXPECT_EQ(answer.field("Connection"), "");
    EXPECT_EQ(answer.field("Server"), "");

    live.clock.advance(1s);
    const Answer next = client.ask(get("/echo/8"));
    EXPECT_EQ(next.field("Date"), "Thu, 01 Jan 2026 01:00:01 GMT");
    EXPECT_EQ(next.field("X-Request-Id").size(), 16U) << "made here when the client sent none";
}

TEST(Session, ProblemsNameTheTraceTheyBelongTo) {
    LiveServer live;
    RawClient client{live.port()};
    const Answer answer = client.ask(
        "GET /nowhere\" HTTP/1.1\r\nHost: a\r\n"
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n"
    );
    EXPECT_EQ(answer.status, 404U);
    EXPECT_EQ(answer.field("Content-Type"), "application/problem+json");
    EXPECT_EQ(
        answer.body,
        R"({"type":"/problems/not_found","title":"No such resource","status":404,)"
        R"("code":"not_found","detail":"Check the path; /openapi.json lists all.",)"
        R"("instance":"/nowhere\"",)"
        R"("traceId":"0af7651916cd43dd8448eb211c80319c"})"
    );
}

TEST(Session, RefusesWhatIsInDoubtAndClosesAndExecutesNothing) {
    struct Row {
        std::string text;
        unsigned status;
        std::string_view why;
    };

    const std::string head = "POST /echo/1 HTTP/1.1\r\nHost: a\r\n";
    const Row rows[] = {
        {head + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "both"},
        {head + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na", 400, "two lengths"},
        {head + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400, "unknown coding"},
        {head + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", 400, "bad chunk size"},
        {head + "Content-Length : 1\r\n\r\na", 400, "space before colon"},
        {head + " folded\r\n\r\n", 400, "obs-fold"},
        {"POST /echo/1 HTTP/1.1\nHost: a\n\n", 400, "bare LF"},
        {"POST /echo/1 HTTP/1.1\r\n\r\n", 400, "no Host"},
        {head + "Host: a\r\n\r\n", 400, "two Hosts"},
        {"\x16\x03\x01\x02\n", 400, "TLS on a plain port"},
        {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, "another version"},
        {head + "Expect: more\r\n\r\n", 417, "another expectation"},
        {"GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414, "target"},
        {head + "X: " + std::string(17000, 'a') + "\r\n\r\n", 431, "fields"},
        {head + "Content-Length: 65537\r\n\r\n", 413, "body, announced"},
        {head + "Transfer-Encoding: chunked\r\n\r\n10001\r\n", 413, "body, in chunks"},
    };
    LiveServer live;
    for (const Row& row : rows) {
        RawClient client{live.port()};
        // What follows must not be taken for another request.
        client.send(row.text + get("/echo/smuggled"));
        const Answer answer = client.read();
        EXPECT_EQ(answer.status, row.status) << row.why;
        EXPECT_EQ(answer.field("Connection"), "close") << row.why;
        EXPECT_EQ(answer.field("Content-Type"), "application/problem+json") << row.why;
        EXPECT_TRUE(client.is_closed()) << row.why;
    }
    EXPECT_EQ(live.executed, 0);
}

TEST(Session, TakesWhatIsUnusualButRight) {
    struct Row {
        std::string text;
        std::string_view body;
        std::string_view why;
    };

    const std::string chunked =
        "POST /echo/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    const Row rows[] = {
        {"\r\n" + get("/echo/1"), "1||", "an empty line first"},
        {"GET http://a:1/echo/1?x HTTP/1.1\r\nHost: a\r\n\r\n", "1|x|", "absolute-form"},
        {chunked + "2\r\nab\r\n1;x\r\nc\r\n0\r\nT: 1\r\n\r\n", "1||abc", "chunks and a trailer"},
        {"GET /echo/%41 HTTP/1.1\r\nHost: a\r\n\r\n", "A||", "an escape"},
        {"GET /echo/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "1||abc", "GET, body"},
    };
    LiveServer live;
    RawClient client{live.port()};
    for (const Row& row : rows) {
        const Answer answer = client.ask(row.text);
        EXPECT_EQ(answer.status, 200U) << row.why;
        EXPECT_EQ(answer.body, row.body) << row.why;
    }
    for (const Row& row : rows) {
        for (const char c : row.text) client.send({&c, 1});
        EXPECT_EQ(client.read().body, row.body) << row.why << ", a byte at a time";
    }
}

TEST(Session, ReadsBodiesUpToTheRoutesLimit) {
    LiveServer live;
    RawClient client{live.port()};
    const std::string body(65536, 'b');
    const auto head = "POST /echo/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n";
    EXPECT_EQ(client.ask(head + body).body, "1||" + body);
    EXPECT_EQ(client.ask(get("/echo/2")).body, "2||") << "and is small again afterwards";

    std::string chunked = "POST /echo/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 65536; ++i) chunked += "1\r\nb\r\n";
    EXPECT_EQ(client.ask(chunked + "0\r\n\r\n").body, "1||" + body) << "six bytes per byte";

    const std::string large(200'000, '-');
    const Answer batch = client.ask(
        "POST /orders:batch HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + large
    );
    EXPECT_EQ(batch.status, 422U) << "the whole body came; more orders than a gather takes";
}

/// Lets in only so many.
class CountingGate final : public Gate {
public:
    explicit CountingGate(int lets_in) : left_(lets_in) {}

    [[nodiscard]] bool admit(Request& request, Response& response) override {
        ++asked;
        request.limit = {.policy = "test", .remaining = 7, .reset_seconds = 1};
        if (left_-- > 0) return true;
        response.status = 429;
        return false;
    }

    [[nodiscard]] std::optional<Problem> refuse_order(const Request&, std::string_view) override {
        return std::nullopt;
    }

    std::atomic<int> asked{0};

private:
    int left_;  // its one io thread's
};

TEST(SessionGate, IsAskedBeforeALargeBodyIsCollectedAndOnlyOnce) {
    CountingGate gate{2};
    LiveServer live{[&](ServerOptions& options) { options.gate = &gate; }};
    RawClient client{live.port()};
    const std::string fields = " HTTP/1.1\r\nHost: a\r\n";
    const std::string sized = "POST /echo/1" + fields + "Content-Length: 60000\r\n\r\n";
    const std::string body(60'000, 'b');
    client.send(sized + body.substr(0, 10'000));
    ASSERT_TRUE(eventually([&] { return gate.asked == 1; })) << "the body has not come whole";
    const Answer answer = client.ask(std::string_view{body}.substr(10'000));
    EXPECT_EQ(answer.body, "1||" + body);
    EXPECT_EQ(answer.field("RateLimit"), "\"test\";r=7;t=1") << "what it said then still counts";

    const std::string chunked = "POST /echo/1" + fields + "Transfer-Encoding: chunked\r\n\r\n";
    client.send(chunked + "1\r\n");
    ASSERT_TRUE(eventually([&] { return gate.asked == 2; })) << "nobody knows how much will come";
    EXPECT_EQ(client.ask("c\r\n0\r\n\r\n").body, "1||c");

    const Answer refused = client.ask(sized + "a few bytes");
    EXPECT_EQ(refused.status, 429U);
    EXPECT_EQ(refused.field("Connection"), "close") << "the rest of the body is not read";
    EXPECT_TRUE(client.is_closed());
    EXPECT_EQ(gate.asked, 3);
}

TEST(SessionGate, IsAskedAboutASmallBodyOnceItIsWholeSoThatTheConnectionStays) {
    CountingGate gate{0};
    LiveServer live{[&](ServerOptions& options) { options.gate = &gate; }};
    RawClient client{live.port()};
    const std::string head = "POST /echo/1 HTTP/1.1\r\nHost: a\r\n";
    const std::string part = head + "Content-Length: 3\r\n\r\na";
    client.send(part);
    ASSERT_TRUE(live.has_read(part.size()));
    EXPECT_EQ(gate.asked, 0);
    EXPECT_EQ(client.ask("bc").status, 429U);
    EXPECT_EQ(client.ask(get("/echo/2")).status, 429U) << "on the same connection";

    client.send(head + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    EXPECT_EQ(client.read().status, 429U) << "whoever asks first sends no body in vain";
    EXPECT_TRUE(client.is_closed());
}

TEST(Session, LargeBodiesThatDoNotComeWholeAreBoundedTogether) {
    constexpr std::size_t max = std::size_t{200} * 1024;
    LiveServer live{[](ServerOptions& options) { options.buffers_max = max; }};
    const std::string head =
        "POST /orders:batch HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n";
    auto hoarder = std::make_unique<RawClient>(live.port());
    hoarder->send(head + std::string(90'000, '-'));
    ASSERT_TRUE(live.has_read(90'000));

    RawClient second{live.port()};
    const Answer refused = second.ask(head + std::string(90'000, '-'));
    EXPECT_EQ(refused.status, 503U);
    EXPECT_NE(refused.body.find(R"("reason":"overloaded")"), std::string::npos);
    EXPECT_NE(refused.field("Retry-After"), "");
    RawClient small{live.port()};
    EXPECT_EQ(small.ask(get("/echo/1")).status, 200U) << "small requests need none of it";

    hoarder.reset();
    ASSERT_TRUE(eventually([&] {
        RawClient next{live.port()};
        return next.ask(head + std::string(200'000, '-')).status == 422;
    })) << "what was borrowed is given back";
}

TEST(Session, SpeaksHttp10) {
    LiveServer live;
    RawClient closing{live.port()};
    const Answer closed = closing.ask("GET /echo/1 HTTP/1.0\r\n\r\n");
    EXPECT_EQ(closed.status, 200U);
    EXPECT_EQ(closed.field("Connection"), "close");
    EXPECT_TRUE(closing.is_closed());

    RawClient staying{live.port()};
    const auto request = "GET /echo/1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    EXPECT_EQ(staying.ask(request).field("Connection"), "keep-alive");
    EXPECT_EQ(staying.ask(request).status, 200U);
}

TEST(Session, ClosesWhenAskedTo) {
    LiveServer live;
    RawClient client{live.port()};
    client.send("GET /echo/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + get("/echo/2"));
    EXPECT_EQ(client.read().field("Connection"), "close");
    EXPECT_TRUE(client.is_closed());
    EXPECT_EQ(live.executed, 1);
}

TEST(Session, KnowsHeadOptionsAndOtherMethods) {
    LiveServer live;
    RawClient client{live.port()};
    client.send("HEAD /echo/1 HTTP/1.1\r\nHost: a\r\n\r\n");
    const Answer head = client.read(true);
    EXPECT_EQ(head.status, 200U);
    EXPECT_EQ(head.field("Content-Length"), "3") << "as GET's";

    const Answer options = client.ask("OPTIONS /echo/1 HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(options.status, 204U);
    EXPECT_EQ(options.field("Allow"), "GET, HEAD, POST, OPTIONS");
    EXPECT_EQ(options.field("Content-Length"), "");
    EXPECT_EQ(client.ask("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").status, 204U);

    for (const std::string method : {"DELETE", "BREW", "get"}) {
        const Answer refused = client.ask(method + " /echo/1 HTTP/1.1\r\nHost: a\r\n\r\n");
        EXPECT_EQ(refused.status, 405U) << method;
        EXPECT_EQ(refused.field("Allow"), "GET, HEAD, POST, OPTIONS");
    }
    EXPECT_EQ(client.ask(get("/nothing")).status, 404U);
}

TEST(Session, Expect100ContinueIsAnsweredBeforeTheBody) {
    LiveServer live;
    RawClient client{live.port()};
    const std::string expect = "Host: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    EXPECT_EQ(client.ask("POST /echo/1 HTTP/1.1\r\n" + expect).status, 100U);
    EXPECT_EQ(client.ask("hi").body, "1||hi");

    client.send("POST /echo/1 HTTP/1.1\r\n" + expect + "hi");
    EXPECT_EQ(client.read().status, 200U) << "the body came along: nothing to wait for";

    EXPECT_EQ(client.ask("POST /nowhere HTTP/1.1\r\n" + expect).status, 404U) << "at once";
    EXPECT_TRUE(client.is_closed());
}

TEST(Session, AHandlerThatThrowsIsOurBugNotTheConnectionsEnd) {
    LiveServer live;
    RawClient client{live.port()};
    EXPECT_EQ(client.ask(get("/broken")).status, 500U);
    EXPECT_EQ(client.ask(order("throw")).status, 500U);
    EXPECT_EQ(client.ask(get("/echo/1")).status, 200U);
}

TEST(Session, ManyRequestsOfOneReadLetTheOthersIn) {
    LiveServer live;
    std::vector<std::string> heard;  // written by the one io thread, read after its last answer
    std::promise<void> began;
    std::promise<void> go_on;
    live.heard = [&](std::string_view id) {
        heard.emplace_back(id);
        if (id != "first") return;
        began.set_value();
        go_on.get_future().wait();
    };
    RawClient other{live.port()};
    EXPECT_EQ(other.ask(get("/echo/before")).status, 200U);
    RawClient greedy{live.port()};
    constexpr int count = 110;  // all of them in one read of 4 KiB
    std::string all = get("/echo/first");
    for (int i = 1; i < count; ++i) all += get("/echo/a");
    greedy.send(all);
    began.get_future().wait();
    other.send(get("/echo/other"));
    go_on.set_value();
    EXPECT_EQ(other.read().status, 200U);
    for (int i = 0; i < count; ++i) EXPECT_EQ(greedy.read().status, 200U);
    const auto turn = std::ranges::find(heard, "other") - std::ranges::find(heard, "first");
    EXPECT_LT(turn, 100) << "not behind all of what the greedy one has sent";
}

TEST(SessionOrders, AreAnsweredInOrderWhateverTheLaneSaysFirst) {
    LiveServer live;
    RawClient client{live.port()};
    client.send(order("a") + order("b") + order("now") + order("c"));
    ASSERT_TRUE(live.orders.has_waiting(3)) << "all are on the lane together";
    live.orders.reply(2);
    live.orders.reply(1);
    live.orders.reply(0);
    EXPECT_EQ(client.read().body, "accepted a");
    EXPECT_EQ(client.read().body, "accepted b");
    EXPECT_EQ(client.read().status, 409U);
    EXPECT_EQ(client.read().body, "accepted c");
}

TEST(SessionOrders, AreDoneBeforeARequestBehindThemRuns) {
    LiveServer live;
    RawClient client{live.port()};
    client.send(order("a") + get("/echo/1") + order("b") + get("/later/2"));
    ASSERT_TRUE(live.orders.has_waiting(1));
    EXPECT_EQ(live.executed, 0) << "the order before it has no answer yet";
    live.orders.reply_all();
    ASSERT_TRUE(live.orders.has_waiting(1));
    EXPECT_EQ(live.executed, 1);
    live.orders.reply_all();
    ASSERT_TRUE(live.calls.has_waiting(1));
    live.calls.answer_first("found");
    EXPECT_EQ(client.read().body, "accepted a");
    EXPECT_EQ(client.read().body, "1||");
    EXPECT_EQ(client.read().body, "accepted b");
    EXPECT_EQ(client.read().body, "found for 2");
}

TEST(SessionOrders, AHalfClosedClientStillGetsItsAnswers) {
    LiveServer live;
    RawClient client{live.port()};
    client.send(order("a") + order("b"));
    client.finish_sending();
    ASSERT_TRUE(live.orders.has_waiting(2));
    live.orders.reply_all();
    EXPECT_EQ(client.read().body, "accepted a");
    EXPECT_EQ(client.read().body, "accepted b");
    EXPECT_TRUE(client.is_closed());
}

TEST(SessionOrders, AMissingAnswerIsOutcomeUnknownAndALateOneHarmsNobody) {
    LiveServer live;
    RawClient client{live.port()};
    client.send(order("a"));
    ASSERT_TRUE(live.orders.has_waiting(1));
    live.clock.advance(6s);
    const Answer unknown = client.read();
    EXPECT_EQ(unknown.status, 504U);
    EXPECT_NE(unknown.body.find("outcome_unknown"), std::string::npos);
    EXPECT_EQ(unknown.field("Firstcome-Should-Retry"), "true");

    client.send(order("b"));
    ASSERT_TRUE(live.orders.has_waiting(2));
    live.orders.reply(0);
    ASSERT_TRUE(eventually([&] { return live.server->figures().stale_answers == 1; }));
    live.orders.reply(1);
    EXPECT_EQ(client.read().body, "accepted b");
    EXPECT_EQ(live.server->figures().reply_timeouts, 1U);
}

TEST(SessionOrders, AClientThatLeavesEarlyHarmsNobody) {
    LiveServer live;
    {
        RawClient client{live.port()};
        client.send(order("a"));
        ASSERT_TRUE(live.orders.has_waiting(1));
    }
    live.orders.reply_all();
    ASSERT_TRUE(eventually([&] { return live.server->figures().connections_open == 0; }));
    RawClient other{live.port()};
    EXPECT_EQ(other.ask(order("now")).status, 409U);
}

TEST(SessionBatch, OneRequestCollectsManyAnswers) {
    LiveServer live;
    RawClient client{live.port()};
    client.send("POST /orders:batch HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab-cd");
    ASSERT_TRUE(live.orders.has_waiting(4));
    live.orders.reply_all();
    EXPECT_EQ(client.read().body, "AA?AA");

    client.send("POST /orders:batch HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    ASSERT_TRUE(live.orders.has_waiting(3));
    live.orders.reply(1);
    ASSERT_TRUE(live.has_read(1));
    live.clock.advance(3s);
    EXPECT_EQ(client.read().body, "?A?") << "what answered before the deadline counts";
    live.orders.reply_all();
    EXPECT_EQ(client.ask(get("/echo/1")).status, 200U) << "late answers find nobody";
}

TEST(SessionAwait, BridgesCallbacks) {
    LiveServer live;
    RawClient client{live.port()};
    client.send(get("/later/1"));
    ASSERT_TRUE(live.calls.has_waiting(1));
    live.calls.answer_first("found");
    EXPECT_EQ(client.read().body, "found for 1");

    live.calls.refuses = true;
    EXPECT_EQ(client.ask(get("/later/2")).status, 503U);
    live.calls.refuses = false;

    client.send(get("/later/3"));
    ASSERT_TRUE(live.calls.has_waiting(1));
    live.clock.advance(3s);
    EXPECT_EQ(client.read().status, 504U);
    live.calls.answer_first("too late");
    EXPECT_EQ(client.ask(get("/echo/1")).status, 200U);
}

TEST(SessionDeadlines, ASlowHeadIsCut) {
    LiveServer live;
    RawClient client{live.port()};
    EXPECT_EQ(client.ask(get("/echo/1")).status, 200U);
    const std::string part = "GET /echo/1 HTTP/1.1\r\n";
    client.send(part);
    ASSERT_TRUE(live.has_read(get("/echo/1").size() + part.size()));
    live.clock.advance(6s);
    client.send("Host: a\r\n");
    ASSERT_TRUE(live.has_read(get("/echo/1").size() + part.size() + 9));
    live.clock.advance(5s);
    EXPECT_EQ(client.read().status, 408U) << "a drop now and then does not extend the time";
    EXPECT_TRUE(client.is_closed());
    EXPECT_EQ(live.server->figures().deadline_closes, 1U);
}

TEST(SessionDeadlines, ASlowBodyIsCut) {
    LiveServer live;
    RawClient client{live.port()};
    const std::string part = "POST /echo/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1234";
    client.send(part);
    ASSERT_TRUE(live.has_read(part.size()));
    live.clock.advance(21s);
    EXPECT_EQ(client.read().status, 408U);
    EXPECT_TRUE(client.is_closed());
    EXPECT_EQ(live.executed, 0);
}

TEST(SessionDeadlines, AnIdleConnectionIsClosedWithoutAWord) {
    LiveServer live;
    RawClient fresh{live.port()};
    RawClient used{live.port()};
    EXPECT_EQ(used.ask(get("/echo/1")).status, 200U);
    ASSERT_TRUE(eventually([&] { return live.server->figures().connections_open == 2; }));
    live.clock.advance(59s);
    EXPECT_EQ(used.ask(get("/echo/1")).status, 200U);
    live.clock.advance(2s);
    EXPECT_TRUE(fresh.is_closed());
    EXPECT_EQ(used.ask(get("/echo/1")).status, 200U);
}

TEST(SessionDeadlines, AReaderThatStandsStillIsCutAndASlowOneGetsAll) {
    LiveServer live;
    RawClient slow{live.port()};
    EXPECT_EQ(slow.ask(get("/large")).body.size(), 8'000'000U);

    RawClient stuck{live.port()};
    const auto before = live.server->figures().bytes_read;
    stuck.send(get("/large"));
    ASSERT_TRUE(live.has_read(before + 1));
    ASSERT_TRUE(eventually([&] { return live.server->figures().bytes_written > 8'000'300; }));
    // At 64 KiB a second it would have had 132 s.
    for (int i = 0; i < 3; ++i) {
        live.clock.advance(11s);
        ASSERT_TRUE(eventually([&] { return live.server->last_beat(0) == live.clock.monotonic(); })
        );
    }
    EXPECT_TRUE(eventually([&] { return live.server->figures().deadline_closes == 1; }));
}

}  // namespace
}  // namespace firstcome::http
