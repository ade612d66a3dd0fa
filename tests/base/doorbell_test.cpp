// tests/base/doorbell_test.cpp - a rest ends when somebody rings, also just before it began
#include "base/doorbell.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace firstcome::base {
namespace {

using namespace std::chrono_literals;

TEST(Doorbell, CutsARestShort) {
    Doorbell bell;
    std::thread visitor{[&bell] { bell.ring(); }};
    bell.rest(1h);
    visitor.join();
}

TEST(Doorbell, IsHeardByARestThatBeginsLater) {
    Doorbell bell;
    bell.ring();
    bell.ring();
    bell.rest(1h);
    bell.rest(1ns);
}

}  // namespace
}  // namespace firstcome::base
