// tests/telemetry/series_text_test.cpp - finding series in a scrape's text
#include "telemetry/series_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firstcome::telemetry {
namespace {

using testing::DoubleEq;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view scrape =
    "# HELP depth Orders waiting\n"
    "# TYPE depth gauge\n"
    "depth{lane=\"0\"} 3\n"
    "depth{lane=\"1\",kind=\"a \\\"b\\\", \\\\c\"} 4.5 1700000000000\n"
    "depth_total 9\n"
    "up 1\n"
    "lag{quantile=\"0.99\"} +Inf\n"
    "seen_total{code=\"x\"} 7 # {trace_id=\"ab\"} 1\n"
    "torn{lane=\"0";

TEST(SeriesText, FindsASeriesByNameAndAnyOfItsLabels) {
    EXPECT_THAT(values_of(scrape, "depth", {}), ElementsAre(DoubleEq(3), DoubleEq(4.5)));
    EXPECT_THAT(values_of(scrape, "depth", {{"lane", "1"}}), ElementsAre(DoubleEq(4.5)));
    EXPECT_THAT(values_of(scrape, "depth", {{"kind", "a \"b\", \\c"}}), ElementsAre(DoubleEq(4.5)));
    EXPECT_THAT(values_of(scrape, "up", {}), ElementsAre(DoubleEq(1)));
    EXPECT_THAT(values_of(scrape, "seen_total", {{"code", "x"}}), ElementsAre(DoubleEq(7)));
    EXPECT_GT(values_of(scrape, "lag", {}).at(0), 1e300);
}

TEST(SeriesText, FindsNothingWhereNothingIs) {
    EXPECT_THAT(values_of(scrape, "depth", {{"lane", "2"}}), IsEmpty());
    EXPECT_THAT(values_of(scrape, "dep", {}), IsEmpty()) << "a name is whole";
    EXPECT_THAT(values_of(scrape, "up", {{"lane", "0"}}), IsEmpty());
    EXPECT_THAT(values_of(scrape, "torn", {}), IsEmpty());
    EXPECT_THAT(values_of("", "up", {}), IsEmpty());
}

}  // namespace
}  // namespace firstcome::telemetry
