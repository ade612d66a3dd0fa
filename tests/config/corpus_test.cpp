// tests/config/corpus_test.cpp - what the fuzzer ever found interesting, again on every test run
#include "tests/fuzz/config_fuzz.cpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace {

TEST(ConfigFuzzer, HoldsForItsCorpus) {
    const auto corpus =
        std::filesystem::path{__FILE__}.parent_path().parent_path() / "fuzz" / "corpus" / "config";
    int replayed = 0;
    for (const auto& entry : std::filesystem::directory_iterator{corpus}) {
        SCOPED_TRACE(entry.path());
        std::ifstream in{entry.path(), std::ios::binary};
        const std::string bytes{std::istreambuf_iterator<char>{in}, {}};
        // Aborts where it does not hold.
        const std::vector<std::uint8_t> input{bytes.begin(), bytes.end()};
        EXPECT_EQ(LLVMFuzzerTestOneInput(input.data(), input.size()), 0);
        ++replayed;
    }
    EXPECT_GT(replayed, 5) << "the corpus is there";
}

}  // namespace
