// tests/cli/bench_record_test.cpp - the record an auditor reads
#include "cli/bench_record.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace firstcome::cli {
namespace {

using namespace std::chrono_literals;

TEST(Recorder, WritesALinePerAnswer) {
    const std::string path = testing::TempDir() + "bench_record_test.txt";
    auto file = RecordFile::open(path);
    ASSERT_TRUE(file);
    const RequestTemplates templates{{.host = "h", .item = "tickets"}, {.run_tag = "00c0ffee"}, 1};
    Recorder recorder{file->get(), templates};
    const OrderAnswer accepted{
        .status = 202,
        .order_id = "01936f5e-8c1a-7b3e-9d2f-4a5b6c7d8e9f",
        .sequence = 3,
        .replayed = true,
        .body_hash = 0xABC,
    };
    recorder.answered({Kind::fresh, 1, 5ms}, accepted, 250us);
    recorder.answered(
        {Kind::reused, 1, 6ms}, {.status = 422, .code = "idempotency_key_reused"}, 1ms
    );
    recorder.unanswered({Kind::fresh, 2, 7ms});
    recorder.flush();
    ASSERT_TRUE((*file)->close());

    std::ifstream in{path};
    const std::string text{std::istreambuf_iterator<char>{in}, {}};
    EXPECT_EQ(
        text,
        "# firstcome bench record 1\n"
        "# user key item quantity status outcome sequence replayed body sent_us latency_us\n"
        "1000000000001 00c0ffeen000000000001 tickets 1 202 01936f5e-8c1a-7b3e-9d2f-4a5b6c7d8e9f 3 "
        "1 "
        "0000000000000abc 5000 250\n"
        "1000000000001 00c0ffeen000000000001 tickets 2 422 idempotency_key_reused - 0 "
        "0000000000000000 6000 1000\n"
        "1000000000002 00c0ffeen000000000002 tickets 1 unknown - - 0 - 7000 -\n"
    );
}

TEST(RecordFile, SaysWhatCannotBeWritten) {
    EXPECT_FALSE(RecordFile::open("/nowhere/record.txt"));
    auto full = RecordFile::open("/dev/full");
    ASSERT_TRUE(full);
    (*full)->write("line\n");
    EXPECT_FALSE((*full)->close());
}

}  // namespace
}  // namespace firstcome::cli
