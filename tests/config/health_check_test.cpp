// tests/config/health_check_test.cpp - the lines of health.checks and health.groups
#include "config/health_check.hpp"

#include "config/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace firstcome::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using namespace std::chrono_literals;
using Kind = HealthCheck::Kind;
using Compare = HealthCheck::Compare;

TEST(HealthCheck, ReadsEachKindOfLine) {
    const auto tcp = HealthCheck::from("orders-db tcp db.example:5432");
    ASSERT_TRUE(tcp);
    EXPECT_EQ(tcp->name, "orders-db");
    EXPECT_EQ(tcp->kind, Kind::tcp);
    EXPECT_EQ(tcp->target, "db.example:5432");
    EXPECT_EQ(tcp->timeout, 1s);

    const auto http =
        HealthCheck::from("shop http https://shop.example/up timeout=250ms expect=204");
    ASSERT_TRUE(http);
    EXPECT_EQ(http->kind, Kind::http);
    EXPECT_EQ(http->target, "https://shop.example/up");
    EXPECT_EQ(http->timeout, 250ms);
    EXPECT_EQ(http->expected_status, 204);

    const auto metric = HealthCheck::from("left metric stock_ratio{item=\"a, b\",x=\"y\"} >= 0.25");
    ASSERT_TRUE(metric);
    EXPECT_EQ(metric->kind, Kind::metric);
    EXPECT_EQ(metric->target, "stock_ratio");
    EXPECT_EQ(metric->labels.at("item"), "a, b") << "blanks and commas of a value are its own";
    EXPECT_EQ(metric->labels.at("x"), "y");
    EXPECT_EQ(metric->compare, Compare::at_least);
    EXPECT_EQ(metric->bound, 0.25);
}

TEST(HealthCheck, RefusesWhatItWouldHaveToGuess) {
    const std::string_view wrong[] = {
        "",
        "alone",
        "db tcp",
        "db udp 127.0.0.1:53",
        "my/db tcp 127.0.0.1:5432",
        "db tcp 127.0.0.1",
        "db tcp :5432",
        "db tcp 127.0.0.1:0",
        "db tcp 127.0.0.1:65536",
        "db tcp 127.0.0.1:5432 expect=200",
        "db tcp 127.0.0.1:5432 timeout=0",
        "db tcp 127.0.0.1:5432 timeout=2h",
        "db tcp 127.0.0.1:5432 retries=3",
        "shop http shop.example/up",
        "shop http http://user:password@shop.example/up",
        "shop http http://shop.example/up expect=99",
        "shop http http://shop.example/up expect=ok",
        "left metric stock_ratio",
        "left metric stock_ratio > ",
        "left metric stock_ratio ~ 1",
        "left metric stock_ratio > much",
        "left metric stock ratio > 1",
        "left metric stock_ratio{item=a} > 1",
        "left metric stock_ratio{item=\"a\",} > 1",
        "left metric stock_ratio{item=\"a\" > 1",
        "left metric stock_ratio > 1 timeout=1s",
    };
    for (const auto line : wrong) EXPECT_FALSE(HealthCheck::from(line)) << line;
    EXPECT_FALSE(HealthCheck::from(std::string(65, 'a') + " tcp 127.0.0.1:1"));
}

TEST(HealthCheck, ComparesAsItSays) {
    struct Row {
        Compare compare;
        bool below, same, above;
    };

    const Row rows[] = {
        {Compare::less, true, false, false},
        {Compare::at_most, true, true, false},
        {Compare::more, false, false, true},
        {Compare::at_least, false, true, true},
        {Compare::equal, false, true, false},
        {Compare::different, true, false, true},
    };
    for (const Row& row : rows) {
        EXPECT_EQ(holds(1, row.compare, 2), row.below) << text_of(row.compare);
        EXPECT_EQ(holds(2, row.compare, 2), row.same) << text_of(row.compare);
        EXPECT_EQ(holds(3, row.compare, 2), row.above) << text_of(row.compare);
    }
}

TEST(HealthGroup, IsANameAndAtLeastOneComponent) {
    const auto group = HealthGroup::from("checkout store  orders-db");
    ASSERT_TRUE(group);
    EXPECT_EQ(group->name, "checkout");
    EXPECT_THAT(group->components, ElementsAre("store", "orders-db"));
    EXPECT_FALSE(HealthGroup::from("checkout"));
    EXPECT_FALSE(HealthGroup::from("checkout store,redis"));
}

TEST(HealthConfig, TakesListsFromTheFileAndTheEnvironment) {
    const auto file = load_text(
        "[health]\nchecks = [\n'orders-db tcp 10.0.0.5:5432',\n"
        "'queue metric depth{lane=\"0\",x=\"1\"} < 4000']\ngroups = [\"checkout store db\"]\n",
        "f.toml"
    );
    ASSERT_TRUE(file) << file.error().front().text();
    EXPECT_THAT(file->config.health.checks, SizeIs(2));
    EXPECT_THAT(file->config.health.groups, ElementsAre("checkout store db"));
    const auto again = load_text(print(*file), "printed.toml");
    ASSERT_TRUE(again) << "what is printed can be read: " << again.error().front().text();
    EXPECT_EQ(again->config.health.checks, file->config.health.checks);

    Sources sources;
    sources.environment = {{"FIRSTCOME_HEALTH_CHECKS", "a tcp h:1; q metric d{x=\"1,2\"} < 4"}};
    const auto environment = load(sources);
    ASSERT_TRUE(environment) << environment.error().front().text();
    EXPECT_THAT(
        environment->config.health.checks, ElementsAre("a tcp h:1", "q metric d{x=\"1,2\"} < 4")
    );
}

TEST(HealthConfig, RefusesANameThatIsTaken) {
    const std::string_view taken[] = {
        "[health]\nchecks = ['store tcp h:1']\n",
        "[health]\nchecks = ['a tcp h:1', 'a tcp h:2']\n",
        "[health]\nchecks = ['a tcp h:1']\ngroups = ['a store']\n",
        "[health]\ngroups = ['readiness store']\n",
    };
    for (const auto text : taken) {
        const auto loaded = load_text(text, "f.toml");
        ASSERT_FALSE(loaded) << text;
        EXPECT_THAT(loaded.error().front().text(), HasSubstr("is a name that is taken")) << text;
    }
}

TEST(HealthConfig, RefusesAGroupOfWhatIsNotThere) {
    const struct {
        std::string_view text;
        std::string_view has;
        std::string_view why;
    } rows[] = {
        {"groups = ['checkout stroe']", R"(has "stroe" in "checkout", )", "a typing mistake"},
        {"groups = ['a store', 'b db Redis']", R"(has "Redis" in "b", )", "case matters"},
        {"groups = ['a readiness']", R"(has "readiness" in "a", )", "a group is no component"},
        {"groups = ['a store', 'b a']", R"(has "a" in "b", )", "nor is one of theirs"},
        {"checks = ['shop tcp h:1']\ngroups = ['a shop shopp']",
         "there are redis, db, outbox, dlq, store, diskSpace, circuitBreakers, conservation, "
         "livenessState, readinessState, shop",
         "what there is, their own checks too"},
    };

    for (const auto& row : rows) {
        const auto loaded = load_text("[health]\n" + std::string{row.text}, "f.toml");
        ASSERT_FALSE(loaded) << row.why;
        ASSERT_THAT(loaded.error(), SizeIs(1)) << row.why;
        EXPECT_EQ(loaded.error().front().key, "health.groups") << row.why;
        EXPECT_THAT(loaded.error().front().text(), HasSubstr(row.has)) << row.why;
    }
}

TEST(HealthConfig, AGroupIsNotBlamedForAMistakeInTheChecks) {
    const auto loaded =
        load_text("[health]\nchecks = ['shop ping h']\ngroups = ['checkout shop']\n", "f.toml");
    ASSERT_FALSE(loaded);
    ASSERT_THAT(loaded.error(), SizeIs(1));
    EXPECT_EQ(loaded.error().front().key, "health.checks");
}

TEST(HealthConfig, AGroupMayHaveAllThatOneModeOrTheOtherHas) {
    const auto loaded = load_text(
        "[health]\nchecks = ['shop tcp h:1']\ngroups = ['all redis db outbox dlq store diskSpace "
        "circuitBreakers conservation livenessState readinessState shop']\n",
        "f.toml"
    );
    EXPECT_TRUE(loaded) << loaded.error().front().text();
}

TEST(HealthConfig, SaysWhatALineLooksLike) {
    const auto loaded = load_text("[health]\nchecks = ['a ping h']\n", "f.toml");
    ASSERT_FALSE(loaded);
    EXPECT_THAT(loaded.error().front().text(), HasSubstr("orders-db tcp 10.0.0.5:5432"));
    const auto listen = load_text("[health]\nlisten = 'probes'\n", "f.toml");
    ASSERT_FALSE(listen);
    EXPECT_THAT(listen.error().front().text(), HasSubstr("like 127.0.0.1:8081, or empty"));
}

}  // namespace
}  // namespace firstcome::config
