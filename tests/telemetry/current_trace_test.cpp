// tests/telemetry/current_trace_test.cpp - the request a thread works for
#include "telemetry/current_trace.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace firstcome::telemetry {
namespace {

TEST(CurrentTrace, IsThereForTheScopeAndForThisThreadAlone) {
    EXPECT_EQ(current_trace(), nullptr);
    const CurrentTrace outer{
        .trace = {.trace_high = 0x0af7651916cd43dd, .trace_low = 1, .span = 0xb7},
        .request_id = "a"};
    const CurrentTrace inner{.trace = {.trace_high = 2, .trace_low = 3}, .request_id = "b"};
    {
        const TraceScope scope{outer};
        ASSERT_NE(current_trace(), nullptr);
        EXPECT_EQ(current_trace()->trace_id(), "0af7651916cd43dd0000000000000001");
        EXPECT_EQ(current_trace()->span_id(), "00000000000000b7");
        {
            const TraceScope nested{inner};
            EXPECT_EQ(current_trace()->request_id, "b");
            EXPECT_EQ(current_trace()->span_id(), "") << "not sampled: it has no span";
        }
        EXPECT_EQ(current_trace()->request_id, "a");
        std::thread([] { EXPECT_EQ(current_trace(), nullptr); }).join();
    }
    EXPECT_EQ(current_trace(), nullptr);
}

}  // namespace
}  // namespace firstcome::telemetry
