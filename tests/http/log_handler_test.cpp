// tests/http/log_handler_test.cpp - who may see and change how much is logged; a line per request
#include "http/log_handler.hpp"

#include "http/access_log.hpp"
#include "telemetry/log.hpp"
#include "tests/http/api_world.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::http {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view path = "/api/v1/admin/log-level";

/// The log's lines of one test.
class Lines {
public:
    explicit Lines(log::Level level = log::Level::info) {
        log::start({.level = level, .format = log::Format::json, .write = [this](auto line) {
                        lines_.emplace_back(line);
                    }});
    }

    ~Lines() {
        log::stop();
        log::set_level(log::Level::info);
    }

    /// Nothing is written any more.
    std::vector<boost::json::object> read() {
        log::stop();
        std::vector<boost::json::object> all;
        for (const std::string& line : lines_) all.push_back(boost::json::parse(line).as_object());
        return all;
    }

private:
    std::vector<std::string> lines_;  // the log's thread's, until it has stopped
};

TEST(LogLevel, IsSeenAndChanged) {
    ApiWorld world;
    Lines lines;
    EXPECT_THAT(world.ask("GET", path).body, HasSubstr(R"({"level":"info","droppedLines":)"));
    for (const std::string method : {"PUT", "POST"}) {
        const Answer changed = world.ask(method, path, R"({"level":"debug"})");
        EXPECT_EQ(changed.status, 200U);
        EXPECT_THAT(changed.body, HasSubstr(R"({"level":"debug")"));
        EXPECT_TRUE(log::enabled(log::Level::debug));
    }
    EXPECT_EQ(world.ask("PUT", path, R"({"level":"error"})").status, 200U);
    EXPECT_EQ(log::level(), log::Level::error);
    EXPECT_EQ(world.ask("PUT", path, R"({"level":"info"})").status, 200U);
    const auto read = lines.read();
    ASSERT_EQ(read.size(), 4U) << "each change is told, also the one that says to be quiet";
    EXPECT_EQ(read[2].at("before").as_string(), "debug");
    EXPECT_EQ(read[2].at("after").as_string(), "error");
    EXPECT_EQ(read[2].at("who").as_string(), "admin");
    EXPECT_EQ(read[2].at("trace_id").as_string().size(), 32U);
}

TEST(LogLevel, IsTheAdminsAlone) {
    ApiWorld world;
    for (const std::string_view method : {"GET", "PUT", "POST"}) {
        const std::string_view body = method == "GET" ? "" : R"({"level":"off"})";
        EXPECT_EQ(world.ask(method, path, body, "wrong").status, 401U) << method;
    }
    EXPECT_NE(log::level(), log::Level::off);
}

TEST(LogLevel, TakesNothingElse) {
    ApiWorld world;

    const struct {
        std::string_view body;
        std::string_view pointer;
    } rows[] = {
        {R"({"level":"loud"})", R"("pointer":"/level")"},
        {R"({"level":3})", R"("pointer":"/level")"},
        {R"({"level":{}})", R"("pointer":"/level")"},
        {R"({})", R"("pointer":"/level")"},
        {R"({"level":"info","more":1})", R"("pointer":"/more")"},
        {R"(["info"])", R"("errors":)"},
        {R"({"level")", R"("errors":)"},
    };

    for (const auto& row : rows) {
        const Answer answer = world.ask("PUT", path, row.body);
        EXPECT_EQ(answer.status, 400U) << row.body;
        EXPECT_THAT(answer.body, HasSubstr(std::string{row.pointer})) << row.body;
    }
    EXPECT_EQ(world.ask("PUT", path).status, 415U) << "no JSON at all";
}

TEST(AccessLog, HasALineARequest) {
    Lines lines;
    {
        LiveServer live{[](ServerOptions& options) { options.access_log.on = true; }};
        RawClient client{live.port()};
        client.ask(
            "POST /echo/7?secret=1 HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine-1\r\n"
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
            "Content-Length: 2\r\n\r\nhi"
        );
        client.ask("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    const auto read = lines.read();
    ASSERT_EQ(read.size(), 2U);
    EXPECT_EQ(read[0].at("msg").as_string(), "request");
    EXPECT_EQ(read[0].at("method").as_string(), "POST");
    EXPECT_EQ(read[0].at("route").as_string(), "/echo/{id}") << "never the path as sent";
    EXPECT_EQ(read[0].at("status").as_int64(), 200);
    EXPECT_GT(read[0].at("bytes").as_int64(), 50);
    EXPECT_EQ(read[0].at("request_id").as_string(), "mine-1");
    EXPECT_EQ(read[0].at("trace_id").as_string(), "0af7651916cd43dd8448eb211c80319c");
    EXPECT_FALSE(read[0].contains("span_id")) << "nobody traces it";
    EXPECT_EQ(read[1].at("route").as_string(), "UNKNOWN");
    EXPECT_EQ(read[1].at("status").as_int64(), 404);
}

TEST(AccessLog, NamesTheSpanOfATracedRequest) {
    Lines lines;
    Request request;
    request.id.make(7);
    request.trace.trace_low = 0x1234;
    request.span = 0xabc;
    log_access({.on = true}, request, 202, {}, 1);
    const auto read = lines.read();
    ASSERT_EQ(read.size(), 1U);
    EXPECT_EQ(read[0].at("span_id").as_string(), "0000000000000abc");
    EXPECT_EQ(read[0].at("trace_id").as_string(), "00000000000000000000000000001234");
    EXPECT_EQ(read[0].at("request_id").as_string(), request.id.text());
}

TEST(AccessLog, IsOffUnlessAskedFor) {
    Lines lines;
    {
        LiveServer live;
        RawClient client{live.port()};
        client.ask("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    EXPECT_THAT(lines.read(), IsEmpty());
}

TEST(AccessLog, KeepsASampleAndEveryFault) {
    Lines lines;
    Request request;
    for (std::uint64_t trace = 0; trace < 1000; ++trace) {
        request.trace.trace_low = trace;
        log_access({.on = true, .sample_percent = 3}, request, 202, {}, 1);
    }
    for (const unsigned status : {500U, 503U}) {
        log_access({.on = true, .sample_percent = 0}, request, status, {}, 1);
    }
    EXPECT_EQ(lines.read().size(), 32U);
}

TEST(Faults, AHandlerThatThrowsIsInTheLog) {
    Lines lines;
    {
        LiveServer live;
        RawClient client{live.port()};
        for (const std::string& ask : {get("/broken"), order("throw"), get("/later/throw")}) {
            EXPECT_EQ(client.ask(ask).status, 500U);
        }
    }
    const auto read = lines.read();
    ASSERT_EQ(read.size(), 3U);
    const std::string_view routes[] = {"/broken", "/orders", "/later/{id}"};
    for (std::size_t at = 0; at < read.size(); ++at) {
        EXPECT_EQ(read[at].at("level").as_string(), "error");
        EXPECT_EQ(read[at].at("msg").as_string(), "a request failed");
        EXPECT_EQ(read[at].at("route").as_string(), routes[at]);
        EXPECT_EQ(read[at].at("reason").as_string(), "a bug");
        EXPECT_EQ(read[at].at("trace_id").as_string().size(), 32U);
        EXPECT_FALSE(read[at].at("request_id").as_string().empty());
    }
}

}  // namespace
}  // namespace firstcome::http
