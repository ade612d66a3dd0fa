// tests/fuzz/replay_test.cpp - runs a fuzzer's whole corpus through it, as an ordinary test
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);

namespace {

TEST(FuzzCorpus, EveryInputKeepsThePromises) {
    std::size_t replayed = 0;
    for (const auto& entry : std::filesystem::directory_iterator{FC_CORPUS}) {
        SCOPED_TRACE(entry.path().filename().string());
        std::ifstream file{entry.path(), std::ios::binary};
        const std::string input{std::istreambuf_iterator<char>{file}, {}};
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(input.data());
        EXPECT_EQ(LLVMFuzzerTestOneInput(bytes, input.size()), 0);
        ++replayed;
    }
    EXPECT_GT(replayed, 0U) << "no corpus at " << FC_CORPUS;
}

}  // namespace
