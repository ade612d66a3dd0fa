// tests/config/load_test.cpp - what an operator writes, and what becomes of it
#include "config/config.hpp"
#include "config/fields.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>

namespace firstcome::config {
namespace {

using std::chrono::hours;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> texts(const ConfigErrors& errors) {
    std::vector<std::string> out;
    for (const auto& error : errors) out.push_back(error.text());
    return out;
}

std::vector<std::string> errors_of(const Sources& sources) {
    const auto loaded = load(sources);
    return loaded ? std::vector<std::string>{} : texts(loaded.error());
}

std::vector<std::string> errors_of(std::string_view toml) {
    const auto loaded = load_text(toml, "f.toml");
    return loaded ? std::vector<std::string>{} : texts(loaded.error());
}

class TemporaryFile {
public:
    explicit TemporaryFile(std::string_view text)
        : path_(
              std::filesystem::path{testing::TempDir()} /
              (std::string{testing::UnitTest::GetInstance()->current_test_info()->name()} + ".toml")
          ) {
        std::ofstream{path_} << text;
    }

    ~TemporaryFile() { std::filesystem::remove(path_); }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

TEST(Load, GivesTheContractsDefaultsWhenNothingIsSaid) {
    const auto loaded = load({});
    ASSERT_TRUE(loaded);
    const Config& config = loaded->config;
    EXPECT_EQ(config.mode, Mode::embedded);
    EXPECT_EQ(config.server.listen.text(), "127.0.0.1:8080");
    EXPECT_EQ(config.data.dir, "data");
    EXPECT_EQ(config.admin_token_file(), "data/admin.token");
    EXPECT_EQ(config.lane.count, 1U);
    EXPECT_EQ(config.lane.batch_size_max, 1024U);
    EXPECT_FALSE(config.idempotency.required);
    EXPECT_EQ(config.idempotency.ttl, hours{24});
    EXPECT_EQ(config.shutdown.settle, std::chrono::seconds{5});
    EXPECT_EQ(config.rate_limit.ip.text(), "100/s burst 200");
    EXPECT_EQ(config.rate_limit.user.text(), "5/s burst 10");
    EXPECT_EQ(config.server.body_max_bytes, 65'536U);
    EXPECT_THAT(loaded->origins, IsEmpty());
    EXPECT_THAT(warnings(config), IsEmpty());
    EXPECT_THAT(refusals(config), IsEmpty());
}

TEST(Load, LetsTheLaterSourceWin) {
    const TemporaryFile file{
        "[lane]\ncount = 2\nbatch_size_max = 2\nqueue_capacity = 2\n"
        "[read]\nthreads = 2\n"};
    const auto loaded = load({
        .file = file.path(),
        .environment =
            {{"FIRSTCOME_LANE_BATCH_SIZE_MAX", "3"},
             {"FIRSTCOME_LANE_QUEUE_CAPACITY", "3"},
             {"FIRSTCOME_READ_THREADS", "3"},
             {"PATH", "/bin"}},
        .set = {"lane.queue_capacity=4", "read.threads=4"},
        .flags = {{"--readers", "read.threads", "5"}},
    });
    ASSERT_TRUE(loaded) << texts(loaded.error()).front();
    EXPECT_EQ(loaded->config.lane.count, 2U) << "the file beats the default";
    EXPECT_EQ(loaded->config.lane.batch_size_max, 3U) << "the environment beats the file";
    EXPECT_EQ(loaded->config.lane.queue_capacity, 4U) << "--set beats the environment";
    EXPECT_EQ(loaded->config.read.threads, 5U) << "a flag beats --set";
    EXPECT_EQ(loaded->origins.at("lane.count"), file.path().string() + ":2");
    EXPECT_EQ(loaded->origins.at("lane.batch_size_max"), "FIRSTCOME_LANE_BATCH_SIZE_MAX");
    EXPECT_EQ(loaded->origins.at("read.threads"), "--readers");
}

TEST(Load, TakesItemsWithAPercentOfTheirOwn) {
    const auto loaded =
        load_text("[alerts]\nstock_low_items = [\"shoe=20\", \"a.b:c-1=5\"]\n", "test");
    ASSERT_TRUE(loaded) << texts(loaded.error()).front();
    EXPECT_THAT(loaded->config.alerts.stock_low_items, ElementsAre("shoe=20", "a.b:c-1=5"));
    EXPECT_EQ(item_percent_from("shoe=20"), (std::pair{std::string{"shoe"}, 20U}));
    for (const char* wrong : {"shoe", "=20", "shoe=", "shoe=0", "shoe=100", "shoe=2%", "sh oe=2"}) {
        EXPECT_EQ(item_percent_from(wrong), std::nullopt) << wrong;
        EXPECT_FALSE(load({.set = {std::string{"alerts.stock_low_items="} + wrong}})) << wrong;
    }
}

TEST(Load, AcceptsEveryNameOfTheContract) {
    const auto loaded = load_text(
        R"(mode = "distributed"
durability = "database"
[server]
listen = "[::1]:0"
io_threads = 4
trusted_proxies = ["10.0.0.0/8", "::1", "192.168.1.7"]
tls_certificate = "c.pem"
tls_key = "k.pem"
[data]
dir = "/var/lib/firstcome"
[lane]
count = 64
batch_size_max = 1
[idempotency]
required = true
ttl = "30d"
[redis]
url = "rediss://u:p@r:6379/1"
[postgres]
url = "host=db dbname=shop"
[rate_limit]
enabled = true
ip = "1000/m"
user = "off"
[auth]
mode = "jwt"
[admin]
token_file = "/run/secrets/token"
[shutdown]
settle = 0
[tracing]
exporter = "otlp"
endpoint = "http://tempo:4318/v1/traces"
[alerts]
enabled = true
[webhook]
url = "https://shop/hook"
secret_file = "/run/secrets/hook"
[log]
level = "debug"
format = "auto"
)",
        "f.toml"
    );
    ASSERT_TRUE(loaded) << texts(loaded.error()).front();
    const Config& config = loaded->config;
    EXPECT_EQ(config.mode, Mode::distributed);
    EXPECT_EQ(config.server.listen, (Endpoint{.host = "::1", .port = 0}));
    EXPECT_THAT(config.server.trusted_proxies, ElementsAre("10.0.0.0/8", "::1", "192.168.1.7"));
    EXPECT_EQ(config.idempotency.ttl, hours{24 * 30});
    EXPECT_EQ(config.shutdown.settle.count(), 0);
    EXPECT_EQ(config.rate_limit.ip, (Rate{1000, std::chrono::minutes{1}, 2000}));
    EXPECT_EQ(config.rate_limit.user.count, 0);
    EXPECT_EQ(config.admin_token_file(), "/run/secrets/token");
    EXPECT_EQ(config.log.format, LogFormat::automatic);
    EXPECT_EQ(loaded->origins.size(), 27U) << "each line above took effect";
}

TEST(Load, RefusesWhatAFieldDoesNotAccept) {
    const struct {
        std::string_view set;
        std::string_view accepted;
        std::string_view why;
    } rows[] = {
        {"lane.count=0", "an integer from 1 to 64", "below the range"},
        {"lane.count=65", "an integer from 1 to 64", "above the range"},
        {"lane.count=-1", "an integer from 1 to 64", "must not wrap around"},
        {"lane.count=4294967297", "an integer from 1 to 64", "must not be cut to 32 bits"},
        {"lane.count=99999999999999999999", "an integer from 1 to 64", "more than 64 bits"},
        {"lane.count=", "an integer from 1 to 64", "nothing is not a number"},
        {"lane.count=2x", "an integer from 1 to 64", "no trailing text"},
        {"lane.count= 2", "an integer from 1 to 64", "no space"},
        {"lane.count=2KiB", "an integer from 1 to 64", "a count has no unit"},
        {"idempotency.ttl=59m", "a duration from 1h to 30d", "below the contract's hour"},
        {"idempotency.ttl=31d", "a duration from 1h to 30d", "above the contract's month"},
        {"idempotency.ttl=24", "a duration from 1h to 30d", "24 what?"},
        {"idempotency.ttl=24 h", "a duration from 1h to 30d", "one spelling only"},
        {"idempotency.ttl=106751991168d", "a duration from 1h to 30d", "overflows milliseconds"},
        {"shutdown.drain=-1s", "a duration from 0s to 5m", "time does not run back"},
        {"server.body_max_bytes=1KB", "a size from 1KiB to 16MiB", "no thousands"},
        {"server.body_max_bytes=1GiB", "a size from 1KiB to 16MiB", "above the range"},
        {"server.body_max_bytes=9223372036854775807GiB", "a size from 1KiB", "overflows"},
        {"idempotency.required=yes", "true or false", "one spelling only"},
        {"mode=cluster", "one of embedded, distributed", "no such mode"},
        {"mode=", "one of embedded, distributed", "no such mode"},
        {"server.listen=8080", "an IP address and a port", "which address?"},
        {"server.listen=:8080", "an IP address and a port", "all interfaces must be said"},
        {"server.listen=1.2.3.4:65536", "an IP address and a port", "no such port"},
        {"server.listen=1.2.3.4:-1", "an IP address and a port", "no such port"},
        {"server.listen=::1:80", "an IP address and a port", "IPv6 needs brackets"},
        {"server.listen=[1.2.3.4]:80", "an IP address and a port", "brackets are IPv6"},
        {{"server.listen=[::1\0]:80", 23}, "an IP address and a port", "inet_pton stops at it"},
        {"tracing.resource=\xA1\x8A", "a text in UTF-8", "print-config could not be read again"},
        {"server.listen=localhost:80", "an IP address and a port", "nor this one"},
        {"server.listen=shop.example:80", "an IP address and a port", "names are not looked up"},
        {"server.trusted_proxies=10.0.0.0/33", "IP addresses or networks", "33 bits of 32"},
        {"rate_limit.allow=10.0.0.0/-0", "IP addresses or networks", "a sign is no digit"},
        {"server.trusted_proxies=::1/129", "IP addresses or networks", "129 bits of 128"},
        {"server.trusted_proxies=10.0.0.1,,10.0.0.2", "IP addresses or networks", "a hole"},
        {"server.trusted_proxies=proxy", "IP addresses or networks", "a name"},
        {"rate_limit.allow=shop.example", "IP addresses or networks", "a name"},
        {"rate_limit.allow_users=ann,b b", "ids of 1 to 64", "a space is in no id"},
        {"rate_limit.allow_users=ann,,bob", "ids of 1 to 64", "a hole"},
        {"rate_limit.memory_max_bytes=1MiB", "a size from 4MiB", "too little to be of use"},
        {"rate_limit.ip=100/d", "a rate like", "no such period"},
        {"rate_limit.ip=-1/s", "a rate like", "below zero"},
        {"rate_limit.ip=100/s burst 0", "a rate like", "a burst of none lets nobody in"},
        {"rate_limit.ip=100/s burst", "a rate like", "a burst of what?"},
        {"rate_limit.ip=10000000/s", "a rate like", "above the range"},
        {"data.dir=", "a text that is not empty", "no directory"},
        {"data.dir=a\nb", "without control characters", "would forge a log line"},
        {"tracing.endpoint=tempo:4318", "starts with http://", "no scheme"},
    };

    for (const auto& row : rows) {
        const auto errors = errors_of(Sources{.set = {std::string{row.set}}});
        ASSERT_EQ(errors.size(), 1U) << row.set << ": " << row.why;
        const auto key = std::string{row.set.substr(0, row.set.find('='))};
        EXPECT_THAT(
            errors[0],
            AllOf(HasSubstr("--set: " + key + " is "), HasSubstr(std::string{row.accepted}))
        ) << row.why;
    }
}

TEST(Load, ReadsEverySpellingItPromises) {
    const struct {
        std::string_view set;
        std::function<bool(const Config&)> holds;
    } rows[] = {
        {"shutdown.settle=250ms", [](auto& c) { return c.shutdown.settle.count() == 250; }},
        {"shutdown.settle=0", [](auto& c) { return c.shutdown.settle.count() == 0; }},
        {"shutdown.settle=5m", [](auto& c) { return c.shutdown.settle.count() == 300'000; }},
        {"idempotency.ttl=2d", [](auto& c) { return c.idempotency.ttl == hours{48}; }},
        {"server.body_max_bytes=2048", [](auto& c) { return c.server.body_max_bytes == 2048; }},
        {"server.body_max_bytes=2KiB", [](auto& c) { return c.server.body_max_bytes == 2048; }},
        {"server.body_max_bytes=1MiB", [](auto& c) { return c.server.body_max_bytes == 1 << 20; }},
        {"server.listen=0.0.0.0:1", [](auto& c) { return c.server.listen.host == "0.0.0.0"; }},
        {"server.listen=[::]:1", [](auto& c) { return c.server.listen.host == "::"; }},
        {"server.trusted_proxies=10.0.0.1, ::/0",
         [](auto& c) { return c.server.trusted_proxies.size() == 2; }},
        {"server.trusted_proxies=", [](auto& c) { return c.server.trusted_proxies.empty(); }},
        {"rate_limit.ip=7", [](auto& c) { return c.rate_limit.ip.text() == "7/s burst 14"; }},
        {"rate_limit.ip=7/h burst 1",
         [](auto& c) {
             return c.rate_limit.ip == Rate{7, hours{1}, 1};
         }},
        {"rate_limit.ip=off", [](auto& c) { return c.rate_limit.ip.count == 0; }},
        {"rate_limit.allow=10.0.0.0/8,::1", [](auto& c) { return c.rate_limit.allow.size() == 2; }},
        {"rate_limit.allow_users=ann, 42, a.b:c_d-e",
         [](auto& c) { return c.rate_limit.allow_users.size() == 3; }},
        {"postgres.url=host=db password=a=b",
         [](auto& c) { return c.postgres.url == "host=db password=a=b"; }},
        {"log.level=off", [](auto& c) { return c.log.level == LogLevel::off; }},
    };

    for (const auto& row : rows) {
        const auto loaded = load({.set = {std::string{row.set}}});
        ASSERT_TRUE(loaded) << row.set << ": " << texts(loaded.error()).front();
        EXPECT_TRUE(row.holds(loaded->config)) << row.set;
    }
}

TEST(Load, KnowsWhatWasProbablyMeant) {
    const struct {
        std::string_view set;
        std::string_view expect;
    } rows[] = {
        {"lane.cuont=1", "did you mean lane.count?"},
        {"lanes.count=1", "did you mean lane.count?"},
        {"count=1", "did you mean lane.count?"},
        {"idempotency.TTL=1h", "did you mean idempotency.ttl?"},
        {"lane=1", "is a section, not an option"},
        {"redis.password=hunter2", "is not an option"},
        {"=1", "is not an option"},
    };

    for (const auto& row : rows) {
        const auto errors = errors_of(Sources{.set = {std::string{row.set}}});
        ASSERT_EQ(errors.size(), 1U) << row.set;
        EXPECT_THAT(errors[0], HasSubstr(std::string{row.expect})) << row.set;
    }
    EXPECT_THAT(
        errors_of(Sources{.environment = {{"FIRSTCOME_LANE_COUTN", "1"}}}),
        ElementsAre("FIRSTCOME_LANE_COUTN: is not an option; did you mean FIRSTCOME_LANE_COUNT?")
    );
    EXPECT_THAT(
        errors_of("[lnae]\ncount = 1\n"),
        ElementsAre("f.toml:2: lnae.count is not an option; did you mean lane.count?")
    );
}

TEST(Load, ReportsEveryMistakeOfEverySourceAtOnce) {
    const TemporaryFile file{"[lane]\ncount = 0\n\nbatch = 1\n[read]\nthreads = \"two\"\n"};
    const auto name = file.path().string();
    const auto errors = errors_of(Sources{
        .file = file.path(),
        .environment = {{"FIRSTCOME_LOG_LEVEL", "loud"}},
        .set = {"orders.quantity_max=none", "nonsense"},
        .flags = {{"--listen", "server.listen", "here"}},
    });
    EXPECT_EQ(errors.size(), 7U);
    EXPECT_THAT(
        errors, Contains(name + ":2: lane.count is \"0\"; must be an integer from 1 to 64")
    );
    EXPECT_THAT(errors, Contains(HasSubstr(name + ":4: lane.batch is not an option")));
    EXPECT_THAT(
        errors, Contains(name + ":6: read.threads is a text; must be an integer from 1 to 64")
    );
    EXPECT_THAT(
        errors,
        Contains("FIRSTCOME_LOG_LEVEL: log.level is \"loud\"; must be one of trace, debug, info, "
                 "warn, error, off")
    );
    EXPECT_THAT(errors, Contains(HasSubstr("--set: orders.quantity_max is \"none\"")));
    EXPECT_THAT(errors, Contains("--set: number 2 is not of the form section.key=value"));
    EXPECT_THAT(errors, Contains(HasSubstr("--listen: server.listen is \"here\"")));
}

TEST(Load, RefusesAFileThatIsNotWhatItSeems) {
    const struct {
        std::string_view toml;
        std::string_view expect;
        std::string_view why;
    } rows[] = {
        {"[lane\ncount = 1", "f.toml:1: ", "syntax, with its line"},
        {"[lane]\ncount = 1\ncount = 2", "f.toml:3: ", "said twice"},
        {"[lane]\ncount = 1.0", "is a floating point number; must be", "not cut silently"},
        {"[lane]\ncount = true", "is a boolean; must be", "not 1"},
        {"[idempotency]\nrequired = \"true\"", "is a text; must be", "not a boolean"},
        {"[server]\nlisten = 8080", "is an integer; must be", "which address?"},
        {"[server]\ntrusted_proxies = \"::1\"", "is a text; must be", "a list is a list"},
        {"[server]\ntrusted_proxies = [1]", "is an array; must be", "of texts"},
        {"[server]\ntrusted_proxies = [\"\"]", "is an array; must be", "an empty address"},
        {"[data.dir]\nx = 1", "data.dir is a table; must be", "not a section"},
        {"[lane.deep]\nx = 1", "lane.deep.x is not an option", "nothing hides in a table"},
        {"[nothing]", "nothing is not an option", "nor in an empty one"},
        {"lane = 1", "lane is a section, not an option", ""},
        {"[[lane]]\ncount = 1", "lane is a section, not an option", "an array of lanes"},
        {"mode = 1979-05-27", "is a date or time; must be", ""},
        {{"\n[\0", 3}, "f.toml:2: has a control character", "toml++ would stop the process"},
        {"mode = \"a\x7F\"", "f.toml:1: has a control character", "DEL"},
        {"# \x1B[2J", "f.toml:1: has a control character", "in a comment, too"},
        {"\n \xD0\x8A", "f.toml:2: has a character beyond ASCII", "a hole in toml++'s table"},
        {"mode\xC3\xA9 = 1", "f.toml:1: has a character beyond ASCII", "a key"},
        {"mode = \"embedded\" \xE3\x81\x82", "f.toml:1: has a character", "behind a value"},
        {"\"a\\u001b[2J\" = 1", "a?[2J is not an option", "no escape reaches the terminal"},
    };

    for (const auto& row : rows) {
        const auto errors = errors_of(row.toml);
        ASSERT_EQ(errors.size(), 1U) << row.toml;
        EXPECT_THAT(errors[0], HasSubstr(std::string{row.expect})) << row.why;
    }
    EXPECT_THAT(errors_of(""), IsEmpty());
    EXPECT_THAT(errors_of("[lane]\r\n\tcount = 1\r\n"), IsEmpty()) << "a tab, and lines of Windows";
}

TEST(Load, SaysWhenTheFileCannotBeRead) {
    EXPECT_THAT(
        errors_of(Sources{.file = "/nonexistent/f.toml"}),
        ElementsAre("/nonexistent/f.toml: cannot be read")
    );
    const std::string directory = testing::TempDir();
    EXPECT_THAT(errors_of(Sources{.file = directory}), ElementsAre(directory + ": cannot be read"));
    const TemporaryFile empty{""};
    EXPECT_THAT(errors_of(Sources{.file = empty.path()}), IsEmpty());
}

TEST(Load, TakesTheFileOfTheEnvironmentUnlessOneIsNamed) {
    const TemporaryFile file{"[lane]\ncount = 7\n"};
    const auto loaded = load({.environment = {{"FIRSTCOME_CONFIG", file.path().string()}}});
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->config.lane.count, 7U);
    EXPECT_THAT(
        errors_of(Sources{
            .file = "/nonexistent",
            .environment = {{"FIRSTCOME_CONFIG", file.path().string()}},
        }),
        ElementsAre("/nonexistent: cannot be read")
    );
}

TEST(Load, IgnoresTheLinksOfAContainerPlatform) {
    const struct {
        const char* name;
        const char* value;
    } links[] = {
        {"FIRSTCOME_PORT", "tcp://10.0.0.1:80"},
        {"FIRSTCOME_PORT_80_TCP", "tcp://10.0.0.1:80"},
        {"FIRSTCOME_PORT_80_TCP_ADDR", "10.0.0.1"},
        {"FIRSTCOME_SERVICE_HOST", "10.0.0.1"},
        {"FIRSTCOME_SERVICE_PORT", "80"},
        {"FIRSTCOME_SERVICE_PORT_HTTP", "80"},
        {"FIRSTCOME_ADMIN_SERVICE_HOST", "10.0.0.2"},
        {"FIRSTCOME_ADMIN_SERVICE_PORT", "9090"},
        {"FIRSTCOME_ADMIN_SERVICE_PORT_HTTP_METRICS", "9090"},
        {"FIRSTCOME_ADMIN_PORT", "tcp://10.0.0.2:9090"},
        {"FIRSTCOME_ADMIN_PORT_9090_TCP", "tcp://10.0.0.2:9090"},
        {"FIRSTCOME_ADMIN_PORT_9090_TCP_PORT", "9090"},
        {"FIRSTCOME_ADMIN_PORT_9090_TCP_PROTO", "tcp"},
        {"FIRSTCOME_ADMIN_PORT_9090_TCP_ADDR", "10.0.0.2"},
        {"FIRSTCOME_PORT_B_PORT", "udp://10.0.0.3:53"},
        {"FIRSTCOME_PORT_B_PORT_53_UDP_ADDR", "10.0.0.3"},
        {"FIRSTCOME_X_PORT", "sctp://10.0.0.4:7"},
        {"FIRSTCOME_X_PORT_7_SCTP", "sctp://10.0.0.4:7"},
    };

    for (const auto& link : links) {
        EXPECT_THAT(errors_of(Sources{.environment = {{link.name, link.value}}}), IsEmpty())
            << link.name;
    }
}

TEST(Load, TakesNothingElseForALink) {
    const struct {
        const char* name;
        const char* value;
    } mistakes[] = {
        {"FIRSTCOME_ADMIN_PORT", "9090"},
        {"FIRSTCOME_SERVER_PORT", "8080"},
        {"FIRSTCOME_SERVER_PORTS", "tcp://10.0.0.1:80"},
        {"FIRSTCOME_ADMIN_PORT_TCP", "tcp://10.0.0.1:80"},
        {"FIRSTCOME_ADMIN_PORT_9090", "9090"},
        {"FIRSTCOME_ADMIN_PORT_9090_TCP_HOST", "10.0.0.1"},
        {"FIRSTCOME_PORT_80_HTTP", "80"},
        {"FIRSTCOME_SERVICE_NAME", "shop"},
        {"FIRSTCOME_ADMIN_SERVICE_HOSTS", "10.0.0.1"},
        {"FIRSTCOME_ADMIN_LISTENS", "tcp://10.0.0.1:80"},
    };

    for (const auto& mistake : mistakes) {
        EXPECT_THAT(
            errors_of(Sources{.environment = {{mistake.name, mistake.value}}}),
            ElementsAre(HasSubstr("is not an option"))
        ) << mistake.name;
    }
    EXPECT_THAT(
        errors_of(Sources{.environment = {{"FIRSTCOME_ADMIN_LISTEN", "tcp://10.0.0.1:80"}}}),
        ElementsAre(HasSubstr("admin.listen"))
    ) << "an option is one, whatever it is set to";
}

TEST(Load, WantsCertificateAndKeyTogether) {
    EXPECT_THAT(
        errors_of(Sources{.set = {"server.tls_certificate=c.pem"}}),
        ElementsAre("--set: server.tls_key must be set together with server.tls_certificate")
    );
    EXPECT_THAT(
        errors_of("[server]\ntls_key = \"k.pem\""),
        ElementsAre("f.toml:2: server.tls_certificate must be set together with server.tls_key")
    );
    EXPECT_THAT(
        errors_of(Sources{.set = {"server.tls_certificate=c.pem", "server.tls_key=k.pem"}}),
        IsEmpty()
    );
}

TEST(Load, NeverShowsASecretInAMistake) {
    const auto errors = errors_of(Sources{
        .environment = {{"FIRSTCOME_REDIS_URL", "hunter2"}},
        .set = {"webhook.url=hunter2", "hunter2"},
    });
    EXPECT_EQ(errors.size(), 3U);
    EXPECT_THAT(errors, Not(Contains(HasSubstr("hunter2"))));
}

TEST(EnvironmentOf, SplitsAtTheFirstEqualsSign) {
    const char* const block[] = {"A=b=c", "EMPTY=", "odd", nullptr};
    using Pair = std::pair<std::string, std::string>;
    EXPECT_THAT(environment_of(block), ElementsAre(Pair{"A", "b=c"}, Pair{"EMPTY", ""}));
    EXPECT_THAT(environment_of(nullptr), IsEmpty());
}

}  // namespace
}  // namespace firstcome::config
