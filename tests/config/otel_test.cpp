// tests/config/otel_test.cpp - OpenTelemetry's variables as our options
#include "config/otel.hpp"

#include "config/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace firstcome::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Environment = std::vector<std::pair<std::string, std::string>>;

Config loaded(const Environment& environment, std::vector<std::string> set = {}) {
    auto loaded = load({.environment = environment, .set = std::move(set)});
    EXPECT_TRUE(loaded) << loaded.error().front().text();
    return loaded->config;
}

TEST(Otel, AnEndpointAloneSwitchesTheExporterOn) {
    struct Row {
        Environment environment;
        TracingExporter exporter;
        std::string endpoint;
        const char* why;
    };

    const std::string base = "OTEL_EXPORTER_OTLP_ENDPOINT";
    const std::string own = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    const std::string exporter = "OTEL_TRACES_EXPORTER";
    using enum TracingExporter;
    const Row rows[] = {
        {{}, none, "", "nothing is sent unasked"},
        {{{base, "http://c:4318"}}, otlp, "http://c:4318/v1/traces", "the path is added"},
        {{{base, "http://c:4318/x/"}}, otlp, "http://c:4318/x/v1/traces", "one slash"},
        {{{own, "http://c/t"}, {base, "http://d"}}, otlp, "http://c/t", "taken as it is"},
        {{{base, "http://c"}, {exporter, "none"}}, none, "", "said no"},
        {{{base, "http://c"}, {"OTEL_SDK_DISABLED", "True"}}, none, "", "said no to all"},
        {{{exporter, "otlp"}}, otlp, "", "at its usual place"},
        {{{exporter, "zipkin"}, {base, "http://c"}}, zipkin, "", "not for zipkin"},
        {{{exporter, "zipkin"}, {"OTEL_EXPORTER_ZIPKIN_ENDPOINT", "http://z/s"}},
         zipkin,
         "http://z/s",
         "its own"},
        {{{base, ""}}, none, "", "empty is not set"},
    };
    for (const Row& row : rows) {
        const Config config = loaded(row.environment);
        EXPECT_EQ(config.tracing.exporter, row.exporter) << row.why;
        EXPECT_EQ(config.tracing.endpoint, row.endpoint) << row.why;
        EXPECT_THAT(config.not_followed, IsEmpty()) << row.why;
    }
}

TEST(Otel, WinsOverTheFileAndLosesToOurOwn) {
    const Environment otel{
        {"OTEL_TRACES_SAMPLER", "traceidratio"}, {"OTEL_TRACES_SAMPLER_ARG", "0.07"}};
    const Config config = loaded(otel);
    EXPECT_EQ(config.tracing.sampler, TracingSampler::traceidratio);
    EXPECT_DOUBLE_EQ(config.tracing.sample_percent, 7);
    EXPECT_DOUBLE_EQ(loaded(otel, {"tracing.sample_percent=0.5"}).tracing.sample_percent, 0.5);

    Environment both = otel;
    both.emplace_back("FIRSTCOME_TRACING_SAMPLER", "always_off");
    EXPECT_EQ(loaded(both).tracing.sampler, TracingSampler::always_off);
}

TEST(Otel, AnotherExporterThanOursKeepsItsAddress) {
    const Environment environment{
        {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"}, {"FIRSTCOME_TRACING_EXPORTER", "zipkin"}};
    EXPECT_EQ(loaded(environment).tracing.exporter, TracingExporter::zipkin);
    EXPECT_EQ(loaded(environment).tracing.endpoint, "") << "not the one for OTLP";
    EXPECT_EQ(
        loaded(environment, {"tracing.exporter=otlp"}).tracing.endpoint, "http://c:4318/v1/traces"
    );
}

TEST(Otel, SetsTheRest) {
    const Config config = loaded(
        {{"OTEL_TRACES_EXPORTER", "otlp"},
         {"OTEL_EXPORTER_OTLP_HEADERS", "a=b"},
         {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "c=d"},
         {"OTEL_EXPORTER_OTLP_TIMEOUT", "2500"},
         {"OTEL_EXPORTER_OTLP_CERTIFICATE", "all.pem"},
         {"OTEL_SERVICE_NAME", "shop"},
         {"OTEL_RESOURCE_ATTRIBUTES", "k=v"}}
    );
    EXPECT_EQ(config.tracing.headers, "c=d") << "the one for traces wins";
    EXPECT_EQ(config.tracing.timeout.count(), 2500);
    EXPECT_EQ(config.tracing.ca_file, "all.pem");
    EXPECT_EQ(config.tracing.service_name, "shop");
    EXPECT_EQ(config.tracing.resource, "k=v");
}

TEST(Otel, WhatCannotBeFollowedIsSaidAndStopsNothing) {
    const Environment rows[] = {
        {{"OTEL_TRACES_EXPORTER", "console"}},
        {{"OTEL_TRACES_SAMPLER", "jaeger_remote"}},
        {{"OTEL_TRACES_SAMPLER", "traceidratio"}, {"OTEL_TRACES_SAMPLER_ARG", "nan"}},
        {{"OTEL_TRACES_EXPORTER", "otlp"}, {"OTEL_EXPORTER_OTLP_TIMEOUT", "soon"}},
        {{"OTEL_TRACES_EXPORTER", "otlp"}, {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}},
        {{"OTEL_TRACES_EXPORTER", "otlp"}, {"OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"}},
        {{"OTEL_TRACES_EXPORTER", "otlp"}, {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "k.pem"}},
        {{"OTEL_TRACES_EXPORTER", "otlp"}, {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "c.pem"}},
        {{"OTEL_TRACES_EXPORTER", "otlp"}, {"OTEL_EXPORTER_OTLP_INSECURE", "true"}},
        {{"OTEL_TRACES_EXPORTER", "otlp"}, {"OTEL_BSP_MAX_QUEUE_SIZE", "9"}},
        {{"OTEL_TRACES_EXPORTER", "zipkin"}, {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "9"}},
        {{"OTEL_TRACES_EXPORTER", "zipkin"}, {"OTEL_PROPAGATORS", "jaeger"}},
    };
    for (const Environment& environment : rows) {
        const Config config = loaded(environment);
        EXPECT_THAT(config.not_followed, ElementsAre(HasSubstr(environment.back().first)));
        EXPECT_EQ(warnings(config), config.not_followed);
    }
}

TEST(Otel, WhatChangesNothingIsNotComplainedOf) {
    const Environment rows[] = {
        {{"OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"}},  // nothing is sent
        {{"OTEL_BSP_MAX_QUEUE_SIZE", "9"}},
        {{"OTEL_TRACES_EXPORTER", "otlp"}, {"OTEL_EXPORTER_OTLP_COMPRESSION", "none"}},
        {{"OTEL_TRACES_EXPORTER", "otlp"}, {"OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "gzip"}},
        {{"OTEL_TRACES_EXPORTER", "otlp"}, {"OTEL_METRICS_EXPORTER", "otlp"}},
        {{"OTEL_TRACES_EXPORTER", "otlp"}, {"OTEL_TRACES_SAMPLER_ARG", "0.5"}},
        {{"OTEL_TRACES_EXPORTER", "otlp"}, {"OTEL_PROPAGATORS", "tracecontext"}},
        {{"OTEL_TRACES_EXPORTER", "zipkin"}, {"OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"}},
    };
    for (const Environment& environment : rows) {
        EXPECT_THAT(loaded(environment).not_followed, IsEmpty()) << environment.back().first;
    }
}

}  // namespace
}  // namespace firstcome::config
