// tests/http/deadline_test.cpp - how long a client says it waits
#include "http/deadline.hpp"

#include "http/in_flight.hpp"
#include "http/request_parser.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace firstcome::http {
namespace {

using namespace std::chrono_literals;

std::expected<base::MonotonicTime, Problem> deadline_in(const std::string& lines) {
    const std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n";
    Request request;
    Framing framing;
    EXPECT_TRUE(parse_head(bytes, {}, request, framing));
    request.arrived = base::MonotonicTime{1h};
    return deadline_of(request);
}

TEST(Deadline, CountsFromTheRequestsArrival) {
    const base::MonotonicTime arrived{1h};
    EXPECT_EQ(deadline_in(""), base::MonotonicTime::max()) << "nothing said: patient for ever";
    EXPECT_EQ(deadline_in("Firstcome-Deadline-Ms: 250\r\n"), arrived + 250ms);
    EXPECT_EQ(deadline_in("FIRSTCOME-DEADLINE-MS:1\r\n"), arrived + 1ms);
    EXPECT_EQ(deadline_in("Firstcome-Deadline-Ms: 3600000\r\n"), arrived + 1h);
}

TEST(Deadline, RefusesWhatIsNoTime) {
    for (const std::string_view value :
         {"0", "-1", "+5", "1.5", "5ms", "3600001", "99999999999999999999", "1 2", "x", "0x10"}) {
        const auto wrong = deadline_in("Firstcome-Deadline-Ms: " + std::string{value} + "\r\n");
        ASSERT_FALSE(wrong.has_value()) << value;
        EXPECT_EQ(wrong.error().code, ProblemCode::validation_failed);
    }
    EXPECT_FALSE(deadline_in("Firstcome-Deadline-Ms: 5\r\nFirstcome-Deadline-Ms: 5\r\n"))
        << "which one would hold?";
}

TEST(InFlight, GivesOutSoManyPlacesAndTakesThemBack) {
    InFlight places{2};
    {
        const InFlight::Place first{places};
        const InFlight::Place second{places};
        const InFlight::Place third{places};
        EXPECT_TRUE(first.taken() && second.taken());
        EXPECT_FALSE(third.taken());
        EXPECT_EQ(places.now(), 2U);
    }
    EXPECT_EQ(places.now(), 0U);
    EXPECT_EQ(places.refused(), 1U);
    const InFlight::Place again{places};
    EXPECT_TRUE(again.taken());
}

}  // namespace
}  // namespace firstcome::http
