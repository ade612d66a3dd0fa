// tests/telemetry/log_test.cpp - one happening is one line, whatever strangers put into it
#include "telemetry/log.hpp"

#include "telemetry/current_trace.hpp"
#include "telemetry/log_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

namespace firstcome::log {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr base::WallTime noon{std::chrono::milliseconds{1'732'276'800'007}};

std::string json(std::string_view message, std::vector<Field> fields = {}) {
    return json_line({noon, Level::warn, message, "main", fields});
}

std::string text(std::string_view message, std::vector<Field> fields = {}) {
    return text_line({noon, Level::warn, message, "main", fields});
}

TEST(JsonLine, TellsTimeLevelMessageThreadAndFields) {
    EXPECT_EQ(
        json(
            "recovered",
            {{"orders", 3},
             {"max", std::numeric_limits<std::uint64_t>::max()},
             {"min", std::numeric_limits<std::int64_t>::min()},
             {"ms", 1.5},
             {"clean", true},
             {"trace_id", "0af7"}}
        ),
        R"({"ts":"2024-11-22T12:00:00.007Z","level":"warn","msg":"recovered","thread":"main",)"
        R"("orders":3,"max":18446744073709551615,"min":-9223372036854775808,"ms":1.5,)"
        R"("clean":true,"trace_id":"0af7"})"
        "\n"
    );
}

TEST(JsonLine, CannotBeBrokenByAStrangersText) {
    using namespace std::string_literals;

    const struct {
        std::string text;
        std::string escaped;
        std::string_view why;
    } rows[] = {
        {"a\nb", "a\\nb", "no second line"},
        {"a\r\tb\x1b[2J", "a\\u000d\\u0009b\\u001b[2J", "no terminal commands"},
        {"\"}{\"", "\\\"}{\\\"", "no field opened"},
        {"\\", "\\\\", ""},
        {"a\0b"s, "a\\u0000b", "a zero is a character"},
        {"\x7f", "\\u007f", "DEL"},
        {"\xc2\x9b", "\\u009b", "C1: CSI in one character"},
        {"\u2028\u2029", "\\u2028\\u2029", "lines for some readers"},
        {"선착순 €😀", "선착순 €😀", "good UTF-8 stays"},
        {"\xff", "\uFFFD", "no UTF-8 at all"},
        {"\xc3", "\uFFFD", "cut short"},
        {"\xc0\xaf", "\uFFFD\uFFFD", "overlong"},
        {"\xe0\x80\xaf", "\uFFFD\uFFFD\uFFFD", "overlong in three"},
        {"\xf0\x80\x80\xaf", "\uFFFD\uFFFD\uFFFD\uFFFD", "overlong in four"},
        {"\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD", "a surrogate"},
        {"\xf4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD", "above U+10FFFF"},
        {"\xe2\x82(", "\uFFFD\uFFFD(", "what follows is kept"},
    };

    for (const auto& row : rows) {
        EXPECT_THAT(json(row.text), HasSubstr("\"msg\":\"" + row.escaped + "\",")) << row.why;
        EXPECT_THAT(json("m", {{"k", row.text}}), HasSubstr("\"k\":\"" + row.escaped + "\"}"))
            << row.why;
        EXPECT_THAT(text(row.text), HasSubstr("main  " + row.escaped)) << row.why;
    }
}

TEST(JsonLine, HasEveryNameOnce) {
    EXPECT_THAT(
        json("m", {{"level", "x"}, {"msg", "y"}}), EndsWith(",\"level_\":\"x\",\"msg_\":\"y\"}\n")
    );
}

TEST(JsonLine, WritesNumbersThatAreNone) {
    EXPECT_THAT(
        json(
            "m",
            {{"a", std::numeric_limits<double>::quiet_NaN()},
             {"b", -std::numeric_limits<double>::infinity()}}
        ),
        EndsWith("\"a\":\"nan\",\"b\":\"-inf\"}\n")
    );
}

TEST(JsonLine, CutsWhatIsTooLong) {
    const auto line = json(std::string(100'000, 'x'));
    EXPECT_LT(line.size(), 9000U);
    EXPECT_THAT(line, HasSubstr("xxx...\""));
}

TEST(TextLine, IsForPeople) {
    EXPECT_EQ(
        text("recovered", {{"orders", 3}, {"path", "/a/b"}, {"why", "no room"}, {"none", ""}}),
        "12:00:00.007 WARN  main  recovered  orders=3 path=/a/b why=\"no room\" none=\"\"\n"
    );
    EXPECT_EQ(text("up"), "12:00:00.007 WARN  main  up\n");
    EXPECT_THAT(text("m", {{"k", "a b=c"}}), EndsWith("k=\"a b=c\"\n")) << "no field opened";
}

/// Takes lines; can be held up like a terminal that does not read.
class Reader {
public:
    void operator()(std::string_view line) {
        std::unique_lock lock{mutex_};
        ++entered_;
        changed_.notify_all();
        changed_.wait(lock, [&] { return open_; });
        lines_.emplace_back(line);
    }

    void hold() {
        const std::lock_guard lock{mutex_};
        open_ = false;
    }

    void let_go() {
        const std::lock_guard lock{mutex_};
        open_ = true;
        changed_.notify_all();
    }

    void await_entered(int count) {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [&] { return entered_ >= count; });
    }

    /// After stop() nobody else looks.
    [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool open_ = true;
    int entered_ = 0;
    std::vector<std::string> lines_;
};

class Log : public testing::Test {
protected:
    void begin(Level level, std::size_t queue_capacity = 100) {
        start({
            .level = level,
            .queue_capacity = queue_capacity,
            .write = [this](std::string_view line) { reader_(line); },
        });
    }

    ~Log() override {
        reader_.let_go();
        stop();
    }

    Reader reader_;
};

TEST_F(Log, WritesAllThatWaitsBeforeItStops) {
    begin(Level::info);
    for (int at = 0; at < 50; ++at) info("line", {{"at", at}});
    stop();
    ASSERT_EQ(reader_.lines().size(), 50U);
    EXPECT_THAT(reader_.lines().front(), AllOf(StartsWith("{\"ts\":\""), HasSubstr("\"at\":0}")));
    EXPECT_THAT(reader_.lines().back(), HasSubstr("\"at\":49}"));
}

TEST_F(Log, LeavesOutWhatIsNotImportantEnough) {
    begin(Level::warn);
    info("quiet");
    warn("loud");
    set_level(Level::debug);
    debug("now heard");
    set_level(Level::off);
    error("never");
    write(Level::off, "off is no level to write at");
    stop();
    EXPECT_THAT(reader_.lines(), ElementsAre(HasSubstr("loud"), HasSubstr("now heard")));
}

TEST_F(Log, DropsAndCountsTheOldestWhenNobodyReads) {
    begin(Level::info, 4);
    const auto dropped_before = dropped();
    reader_.hold();
    info("taken");
    reader_.await_entered(1);
    for (int at = 0; at < 10; ++at) info("line", {{"at", at}});
    EXPECT_EQ(dropped() - dropped_before, 6U);
    reader_.let_go();
    stop();
    EXPECT_THAT(
        reader_.lines(),
        ElementsAre(
            HasSubstr("taken"),
            AllOf(HasSubstr("log lines were dropped"), HasSubstr("\"lines\":6")),
            HasSubstr("\"at\":6"),
            HasSubstr("\"at\":7"),
            HasSubstr("\"at\":8"),
            HasSubstr("\"at\":9")
        )
    );
    EXPECT_EQ(dropped() - dropped_before, 6U) << "the count outlives the queue";
}

TEST_F(Log, EndsAlthoughNobodyReads) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    start({.level = Level::info, .descriptor = ends[1]});
    const std::string long_text(4000, 'x');
    for (int at = 0; at < 100; ++at) info("line", {{"text", long_text}});
    stop();
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_F(Log, GivesALineTheIdsOfTheRequestItsThreadWorksFor) {
    const telemetry::CurrentTrace request{
        .trace = {.trace_high = 0x0af7651916cd43dd, .trace_low = 0x8448eb211c80319c, .span = 7},
        .request_id = "mine-1"};
    begin(Level::info);
    {
        const telemetry::TraceScope scope{request};
        info("one", {{"a", 1}});
        info("two", {{"trace_id", "another"}});
    }
    info("three");
    stop();
    EXPECT_THAT(
        reader_.lines(),
        ElementsAre(
            EndsWith("\"a\":1,\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\","
                     "\"span_id\":\"0000000000000007\",\"request_id\":\"mine-1\"}\n"),
            EndsWith("\"trace_id\":\"another\",\"span_id\":\"0000000000000007\","
                     "\"request_id\":\"mine-1\"}\n"),
            Not(HasSubstr("_id"))
        )
    );
}

TEST(Level, HasOneSpelling) {
    for (const Level level :
         {Level::trace, Level::debug, Level::info, Level::warn, Level::error, Level::off}) {
        EXPECT_EQ(level_from(name(level)), level);
    }
    EXPECT_EQ(level_from("loud"), std::nullopt);
}

TEST_F(Log, CanBeStartedAgain) {
    begin(Level::info);
    info("first");
    stop();
    begin(Level::info);
    info("second");
    stop();
    EXPECT_THAT(reader_.lines(), ElementsAre(HasSubstr("first"), HasSubstr("second")));
}

TEST_F(Log, GoesToStandardErrorBeforeItIsStarted) {
    testing::internal::CaptureStderr();
    set_level(Level::info);
    info("early", {{"a", 1}});
    EXPECT_THAT(testing::internal::GetCapturedStderr(), EndsWith("  early  a=1\n"));
    EXPECT_THAT(reader_.lines(), IsEmpty());
}

TEST_F(Log, NamesTheThread) {
    begin(Level::info);
    info("here");
    stop();
    ASSERT_EQ(reader_.lines().size(), 1U);
    EXPECT_THAT(reader_.lines()[0], Not(HasSubstr("\"thread\":\"\"")));
    EXPECT_THAT(reader_.lines()[0], Not(HasSubstr("fc-log"))) << "the writer's is not the teller's";
}

}  // namespace
}  // namespace firstcome::log
