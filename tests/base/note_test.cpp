// tests/base/note_test.cpp - a sentence stands until it is taken down, and is new once
#include "base/note.hpp"

#include <gtest/gtest.h>

namespace firstcome::base {
namespace {

TEST(Note, StandsUntilItIsTakenDownAndIsNewOnce) {
    Note note;
    EXPECT_EQ(note.text(), std::nullopt);
    EXPECT_TRUE(note.set("one"));
    EXPECT_FALSE(note.set("one")) << "said already";
    EXPECT_TRUE(note.set("two"));
    EXPECT_EQ(note.text(), "two");
    note.clear();
    EXPECT_EQ(note.text(), std::nullopt);
    EXPECT_TRUE(note.set("two")) << "it came back";
}

}  // namespace
}  // namespace firstcome::base
