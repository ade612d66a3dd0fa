// tests/app/service_state_test.cpp - where the service stands
#include "app/service_state.hpp"

#include <gtest/gtest.h>

namespace firstcome::app {
namespace {

TEST(ServiceState, GoesFromStartingOverServingToDraining) {
    ServiceState state;
    EXPECT_EQ(state.stage(), ServiceStage::starting);
    state.serve();
    EXPECT_EQ(state.stage(), ServiceStage::serving);
    state.drain();
    EXPECT_EQ(state.stage(), ServiceStage::draining);
}

}  // namespace
}  // namespace firstcome::app
