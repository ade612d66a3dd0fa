// tests/config/print_test.cpp - what is printed can be read again, and no secret is in it
#include "config/fields.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace firstcome::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Loaded loaded_from(std::string_view toml) {
    auto loaded = load_text(toml, "f.toml");
    EXPECT_TRUE(loaded) << toml << (loaded ? "" : loaded.error().front().text());
    return loaded ? *std::move(loaded) : Loaded{};
}

TEST(Print, CanBeLoadedAgain) {
    const Loaded first = loaded_from(R"(
mode = "distributed"
[server]
listen = "[::]:9"
trusted_proxies = ["10.0.0.0/8", "::1"]
body_max_bytes = 65537
batch_body_max_bytes = "2MiB"
header_timeout = "1500ms"
[data]
dir = 'a "quoted" \ path'
[rate_limit]
ip = "3/h burst 1"
user = "off"
)");
    const Loaded again = loaded_from(print(first));
    EXPECT_THAT(restart_needed(first.config, again.config), IsEmpty());
    EXPECT_EQ(again.config.data.dir, "a \"quoted\" \\ path");
    EXPECT_EQ(again.config.server.body_max_bytes, 65'537U);
    EXPECT_EQ(again.config.server.header_timeout.count(), 1500);
}

TEST(Print, SaysWhereAValueCameFrom) {
    const auto loaded = load({
        .environment = {{"FIRSTCOME_LANE_COUNT", "3"}},
        .set = {"mode=distributed"},
    });
    ASSERT_TRUE(loaded);
    EXPECT_THAT(
        print(*loaded),
        AllOf(
            HasSubstr("\ncount = 3  # FIRSTCOME_LANE_COUNT\n"),
            HasSubstr("mode = \"distributed\"  # --set\n"),
            HasSubstr("\nbatch_size_max = 1024\n")
        )
    );
}

TEST(Print, MasksSecrets) {
    const Loaded loaded = loaded_from(R"(
[redis]
url = "redis://u:hunter2@r:6379"
[postgres]
url = "host=db password=hunter2"
[webhook]
url = "https://hook/hunter2"
[alerts]
webhook_url = "https://chat/hunter2"
)");
    EXPECT_THAT(print(loaded), AllOf(HasSubstr("url = \"********\""), Not(HasSubstr("hunter2"))));
    EXPECT_THAT(warnings(loaded.config), Not(testing::Contains(HasSubstr("hunter2"))));
    EXPECT_THAT(print(Loaded{}), HasSubstr("url = \"redis://127.0.0.1:6379/0\"")) << "no secret";
}

TEST(Print, SaysWhichSecretsTheProcessListShows) {
    Sources sources{
        .environment = {{"FIRSTCOME_POSTGRES_URL", "postgresql://u:hush@a/b"}},
        .set = {"redis.url=redis://u:hush@a:1/0", "webhook.url=http://a/hush", "log.level=info"}};
    const auto loaded = load(sources);
    ASSERT_TRUE(loaded);
    const std::string said = secrets_in_sight(*loaded);
    EXPECT_THAT(said, HasSubstr("can read redis.url, webhook.url in the list of processes"));
    EXPECT_THAT(said, Not(HasSubstr("hush")));
    sources.set = {"redis.url=redis://127.0.0.1:6379/0", "log.level=info"};
    EXPECT_EQ(secrets_in_sight(*load(sources)), "") << "the default is known to everybody";
}

TEST(Reference, IsWhatTheRepositoryShows) {
    std::ifstream in{std::filesystem::path{FC_SOURCE_DIR} / "config" / "firstcome.toml"};
    std::ostringstream text;
    text << in.rdbuf();
    EXPECT_EQ(text.str(), reference())
        << "write it anew: firstcome print-config --reference > config/firstcome.toml";
}

TEST(Reference, ShowsEachDefaultAsItCanBeWritten) {
    EXPECT_THAT(loaded_from(reference()).origins, IsEmpty()) << "as it stands it changes nothing";
    std::string active;
    std::istringstream lines{reference()};
    for (std::string line; std::getline(lines, line);) {
        const bool is_option = line.size() > 1 && line[0] == '#' && line[1] != ' ';
        active += (is_option ? line.substr(1) : line) + "\n";
    }
    const Loaded loaded = loaded_from(active);
    EXPECT_EQ(loaded.origins.size(), fields().size()) << "every option has its line";
    EXPECT_THAT(restart_needed(Config{}, loaded.config), IsEmpty());
}

TEST(Reference, FitsAHundredColumns) {
    std::istringstream lines{reference()};
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
}

TEST(Fields, AreAllDistinctDocumentedAndAcceptTheirOwnDefault) {
    std::set<std::string> keys;
    std::set<std::string> names;
    for (const Field& field : fields()) {
        EXPECT_TRUE(keys.insert(std::string{field.key}).second) << field.key;
        EXPECT_TRUE(names.insert(environment_name(field.key)).second) << field.key;
        EXPECT_TRUE(field.doc.ends_with('.')) << field.key;
        EXPECT_LE(field.min, field.max) << field.key;
        EXPECT_THAT(accepted(field), Not(IsEmpty())) << field.key;
    }
    EXPECT_EQ(environment_name("rate_limit.ip"), "FIRSTCOME_RATE_LIMIT_IP");
}

TEST(Fields, AreEachAMemberOfTheirOwn) {
    Config config;
    std::set<const void*> members;
    for (const Field& field : fields()) {
        const void* member = std::visit(
            [](auto target) -> const void* {
                if constexpr (std::is_same_v<decltype(target), Choice>) {
                    return target.index;
                } else {
                    return target;
                }
            },
            field.in(config)
        );
        EXPECT_TRUE(members.insert(member).second) << field.key;
    }
}

TEST(Warnings, TellOfAnOpenDoorWithoutTls) {
    const struct {
        const char* listen;
        bool warns;
    } rows[] = {
        {"127.0.0.1:1", false},
        {"127.9.9.9:1", false},
        {"[::1]:1", false},
        {"0.0.0.0:1", true},
        {"192.168.0.1:1", true},
        {"[::]:1", true},
    };

    for (const auto& row : rows) {
        Config config;
        config.server.listen = Endpoint::from(row.listen).value();
        EXPECT_EQ(warnings(config).size(), row.warns ? 1U : 0U) << row.listen;
        config.server.tls_certificate = "c.pem";
        config.server.tls_key = "k.pem";
        EXPECT_THAT(warnings(config), IsEmpty()) << row.listen;
    }
}

TEST(Warnings, TellWhereATokenCouldBeRead) {
    Config config;
    config.health.listen = "127.0.0.1:9090";
    EXPECT_THAT(warnings(config), IsEmpty());
    config.health.listen = "0.0.0.0:9090";
    EXPECT_THAT(warnings(config), ElementsAre(HasSubstr("Probes on 0.0.0.0:9090 have no TLS")));
}

TEST(Refusals, AreForWhatWouldBeAPromiseBroken) {
    Config config;
    config.auth.mode = AuthMode::jwt;
    EXPECT_THAT(refusals(config), ElementsAre(HasSubstr("auth.mode")));
    config.auth.jwks_file = "keys.json";
    EXPECT_THAT(refusals(config), IsEmpty());
    config.admin.client_ca_file = "ca.pem";
    EXPECT_THAT(refusals(config), ElementsAre(HasSubstr("admin.client_ca_file")));
    config.server.tls_certificate = "c.pem";
    EXPECT_THAT(refusals(config), IsEmpty());
    config.server.batch_body_max_bytes = config.server.buffers_max_bytes / 2 + 1;
    EXPECT_THAT(refusals(config), ElementsAre(HasSubstr("server.buffers_max_bytes")));
}

TEST(RestartNeeded, NamesEveryDifferenceButTheReloadable) {
    Config now;
    Config next;
    next.log.level = LogLevel::debug;
    next.auth.issuer = "https://id.shop";
    EXPECT_THAT(restart_needed(now, next), IsEmpty());
    EXPECT_THAT(differences(now, next), ElementsAre("auth.issuer", "log.level"));
    next.redis.url = "redis://elsewhere";
    next.lane.count = 2;
    EXPECT_THAT(restart_needed(now, next), ElementsAre("lane.count", "redis.url"));
}

TEST(RestartNeeded, BetweenPlainHttpAndTlsButNotBetweenCertificates) {
    Config plain;
    Config secured;
    secured.server.tls_certificate = "c.pem";
    EXPECT_THAT(restart_needed(plain, secured), ElementsAre("server.tls_certificate"));
    Config renewed;
    renewed.server.tls_certificate = "d.pem";
    EXPECT_THAT(restart_needed(secured, renewed), IsEmpty());
}

TEST(Duration, IsWrittenInTheLargestExactUnit) {
    const struct {
        long milliseconds;
        const char* text;
    } rows[] = {
        {0, "0s"},
        {1, "1ms"},
        {1500, "1500ms"},
        {60'000, "1m"},
        {90'000, "90s"},
        {86'400'000, "1d"},
        {90'000'000, "25h"},
    };

    for (const auto& row : rows) {
        EXPECT_EQ(duration_text(milliseconds{row.milliseconds}), row.text);
        EXPECT_EQ(duration_from(row.text), milliseconds{row.milliseconds});
    }
}

}  // namespace
}  // namespace firstcome::config
