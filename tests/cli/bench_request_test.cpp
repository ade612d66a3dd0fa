// tests/cli/bench_request_test.cpp - the bytes of a call, patched into a template
#include "cli/bench_request.hpp"

#include <gtest/gtest.h>

namespace firstcome::cli {
namespace {

const Naming naming{.run_tag = "00c0ffee"};

RequestShape shape() {
    return {.host = "127.0.0.1:1", .item = "tickets"};
}

TEST(RequestTemplates, RenderOneOrder) {
    const RequestTemplates templates{shape(), naming, 1};
    std::string out;
    templates.append(out, Kind::fresh, 123);
    EXPECT_EQ(
        out,
        "POST /api/v1/orders HTTP/1.1\r\nHost: 127.0.0.1:1\r\nContent-Type: application/json\r\n"
        "Idempotency-Key: 00c0ffeen000000000123\r\nContent-Length: 56\r\n\r\n"
        R"({"userId":1000000000123,"itemId":"tickets","quantity":1})"
    );
}

TEST(RequestTemplates, RepeatSendsTheSameBytesAndWrongOnesDiffer) {
    const RequestTemplates templates{shape(), naming, 1};
    const auto bytes = [&](Kind kind) {
        std::string out;
        templates.append(out, kind, 7);
        return out;
    };
    EXPECT_EQ(bytes(Kind::repeated), bytes(Kind::fresh));
    EXPECT_NE(bytes(Kind::reused).find("00c0ffeen000000000007"), std::string::npos);
    EXPECT_NE(bytes(Kind::reused).find(R"("quantity":2)"), std::string::npos);
    EXPECT_NE(bytes(Kind::over_limit).find("00c0ffeeo000000000007"), std::string::npos);
    EXPECT_NE(bytes(Kind::over_limit).find("1000000000007"), std::string::npos);
    EXPECT_NE(bytes(Kind::unknown_item).find(R"("tickets-unknown")"), std::string::npos);
}

TEST(RequestTemplates, RenderABatchOfOrdersInARow) {
    const RequestTemplates templates{shape(), naming, 2};
    std::string out;
    templates.append(out, Kind::fresh, 9);
    const std::string body =
        R"({"orders":[{"idempotencyKey":"00c0ffeen000000000009","userId":1000000000009,)"
        R"("itemId":"tickets","quantity":1},{"idempotencyKey":"00c0ffeen000000000010",)"
        R"("userId":1000000000010,"itemId":"tickets","quantity":1}]})";
    EXPECT_TRUE(out.starts_with("POST /api/v1/orders:batch HTTP/1.1\r\n"));
    EXPECT_NE(out.find("Content-Length: " + std::to_string(body.size())), std::string::npos);
    EXPECT_TRUE(out.ends_with("\r\n\r\n" + body));
}

TEST(RequestTemplates, LeaveTheKeyOutWhenTold) {
    RequestShape keyless = shape();
    keyless.keys = false;
    std::string out;
    RequestTemplates{keyless, naming, 1}.append(out, Kind::fresh, 1);
    EXPECT_EQ(out.find("Idempotency-Key"), std::string::npos);
}

TEST(Naming, SharesUsersWhenThereAreFewer) {
    const Naming few{.run_tag = "00c0ffee", .users = 10};
    EXPECT_EQ(few.user(3), few.user(13));
    EXPECT_NE(few.user(3), few.user(4));
    EXPECT_EQ(few.key(Kind::fresh, 5).size(), Naming::key_size);
}

}  // namespace
}  // namespace firstcome::cli
