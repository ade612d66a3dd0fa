// tests/adapters/webhook/sink_test.cpp - the sink against a real HTTP server
#include "adapters/webhook/sink.hpp"

#include "adapters/webhook/message.hpp"
#include "tests/support/manual.hpp"
#include "tests/support/orders.hpp"
#include "tests/support/spans.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/webhook_receiver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <fstream>
#include <future>

namespace firstcome::test {
namespace {

using ports::Cause;
using ::testing::HasSubstr;
using ::testing::Not;
using Kind = WebhookAnswer::Kind;

constexpr std::string_view secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

domain::Event event(std::uint64_t number) {
    domain::Event made;
    made.id = {.high = 0x019AB2C3D4E57000 + number, .low = std::uint64_t{1} << 63U};
    made.order.id = made.id;
    made.order.user = user("ann");
    made.order.item = item("shoe");
    made.order.quantity = 1;
    made.order.sequence = number;
    return made;
}

// By another way than the sink's own HMAC: EVP_DigestSign with the key as the library decodes it.
std::string signed_by_hand(const std::string& content) {
    const std::string_view encoded = secret.substr(6);
    std::string key(24, '\0');
    EVP_DecodeBlock(
        reinterpret_cast<unsigned char*>(key.data()),
        reinterpret_cast<const unsigned char*>(encoded.data()),
        static_cast<int>(encoded.size())
    );
    EVP_PKEY* made = EVP_PKEY_new_raw_private_key(
        EVP_PKEY_HMAC, nullptr, reinterpret_cast<const unsigned char*>(key.data()), key.size()
    );
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    unsigned char digest[32];
    std::size_t size = sizeof(digest);
    EXPECT_EQ(EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, made), 1);
    const auto* bytes = reinterpret_cast<const unsigned char*>(content.data());
    EXPECT_EQ(EVP_DigestSign(context, digest, &size, bytes, content.size()), 1);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(made);
    std::string text(44, '\0');
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), digest, 32);
    return "v1," + text;
}

class WebhookSink : public ::testing::Test {
protected:
    WebhookSink() {
        std::ofstream{secret_file()} << secret << "\n";
        std::filesystem::permissions(secret_file(), std::filesystem::perms{0600});
    }

    std::filesystem::path secret_file() const { return dir_.path() / "secret"; }

    webhook::Sink::Options options() const {
        return {.url = receiver.url(), .secret_file = secret_file(), .allow_private = true};
    }

    std::unique_ptr<webhook::Sink> open(const webhook::Sink::Options& options) {
        auto opened = webhook::Sink::open(options, clock);
        EXPECT_TRUE(opened.has_value()) << opened.error();
        return *std::move(opened);
    }

    /// One event to a receiver that gives this answer.
    ports::DeliveryFailure failure_of(const WebhookAnswer& answer) {
        receiver.answer(answer);
        const domain::Event events[] = {event(1)};
        const auto delivery = open(options())->deliver(events);
        EXPECT_EQ(delivery.delivered, 0U);
        EXPECT_TRUE(delivery.failure.has_value()) << answer.status;
        return delivery.failure.value_or(ports::DeliveryFailure{});
    }

    ManualClock clock;
    WebhookReceiver receiver;

private:
    TempDir dir_;
};

TEST_F(WebhookSink, PostsEachEventSignedOverOneConnection) {
    domain::Event events[] = {event(1), event(2), event(3)};
    events[1].trace = {.trace_high = 1, .trace_low = 2, .span = 3, .sampled = true};
    const auto sink = open(options());
    EXPECT_EQ(sink->consumer(), "webhook");
    const auto delivery = sink->deliver(events);
    EXPECT_EQ(delivery.delivered, 3U);
    EXPECT_FALSE(delivery.failure.has_value());

    const auto requests = receiver.requests();
    ASSERT_EQ(requests.size(), 3U);
    const auto seconds =
        std::chrono::floor<std::chrono::seconds>(clock.wall()).time_since_epoch().count();
    for (std::size_t i = 0; i < 3; ++i) {
        const auto& headers = requests[i].headers;
        EXPECT_EQ(requests[i].line, "POST /events?token=hush HTTP/1.1");
        EXPECT_EQ(requests[i].connection, 1) << "kept alive";
        EXPECT_EQ(headers.at("content-type"), "application/json");
        EXPECT_EQ(headers.at("webhook-id"), events[i].id.text());
        EXPECT_EQ(headers.at("webhook-timestamp"), std::to_string(seconds));
        EXPECT_EQ(
            headers.at("webhook-signature"),
            signed_by_hand(
                events[i].id.text() + "." + std::to_string(seconds) + "." + requests[i].body
            )
        );
        EXPECT_THAT(requests[i].body, HasSubstr(R"("type":"order.accepted")"));
        EXPECT_EQ(headers.contains("traceparent"), i == 1);
    }
}

TEST_F(WebhookSink, APostOfASampledTraceIsASpanThatTheReceiverHangsOn) {
    receiver.answer({.status = 500});
    KeptSpans spans;
    webhook::Sink::Options traced = options();
    traced.spans = &spans;
    const auto sink = open(traced);
    domain::Event events[] = {event(1), event(2)};
    events[0].trace = {.trace_high = 1, .trace_low = 2, .span = 3, .sampled = true};
    events[1].trace = {.trace_high = 1, .trace_low = 2, .span = 4, .sampled = false};
    EXPECT_TRUE(sink->deliver(events).failure.has_value());
    EXPECT_EQ(sink->deliver(events).delivered, 2U);
    const auto all = spans.all();
    ASSERT_EQ(all.size(), 2U) << "the one that is not sampled has none";
    for (std::size_t at = 0; at < 2; ++at) {
        EXPECT_EQ(all[at].parent, 3U);
        EXPECT_EQ(all[at].failed, at == 0);
        EXPECT_EQ(attribute(all[at], "http.response.status_code"), at == 0 ? "500" : "200");
        EXPECT_EQ(attribute(all[at], "server.address"), "127.0.0.1");
        for (const auto& each : all[at].attributes) {
            EXPECT_NE(attribute(all[at], each.key), "hush") << "the address's path is a secret";
        }
        EXPECT_EQ(
            receiver.requests()[at].headers.at("traceparent"),
            *webhook::traceparent(all[at].context)
        );
    }
    EXPECT_EQ(
        receiver.requests()[2].headers.at("traceparent"), *webhook::traceparent(events[1].trace)
    ) << "passed on as it came";
}

TEST_F(WebhookSink, StopsAtTheFirstFailureAndRepeatsItUnderTheSameId) {
    receiver.answer({.status = 200});
    receiver.answer({.status = 500, .body = "no room"});
    const domain::Event events[] = {event(1), event(2), event(3)};
    const auto sink = open(options());
    const auto first = sink->deliver(events);
    EXPECT_EQ(first.delivered, 1U);
    ASSERT_TRUE(first.failure.has_value());
    EXPECT_EQ(first.failure->error, "HTTP 500: no room");

    clock.pass(5s);
    const auto second = sink->deliver(std::span(events).subspan(1));
    EXPECT_EQ(second.delivered, 2U);
    const auto requests = receiver.requests();
    ASSERT_EQ(requests.size(), 4U);
    EXPECT_EQ(requests[1].headers.at("webhook-id"), requests[2].headers.at("webhook-id"));
    EXPECT_EQ(requests[1].body, requests[2].body);
    EXPECT_NE(
        requests[1].headers.at("webhook-timestamp"), requests[2].headers.at("webhook-timestamp")
    );
}

TEST_F(WebhookSink, TellsWhatMayPassFromWhatWillNot) {
    struct Row {
        int status;
        Cause cause;
        const char* why;
    };

    const Row rows[] = {
        {408, Cause::unavailable, "the receiver was slow"},
        {425, Cause::overloaded, "too early is not never"},
        {429, Cause::overloaded, "too many"},
        {500, Cause::overloaded, "a fault of the receiver's"},
        {503, Cause::overloaded, "a fault of the receiver's"},
        {400, Cause::invalid, "the message"},
        {413, Cause::invalid, "the message is too long"},
        {415, Cause::invalid, "the message is not of its kind"},
        {422, Cause::invalid, "the message"},
        {301, Cause::rejected, "redirects are not followed"},
        {307, Cause::rejected, "redirects are not followed"},
        {401, Cause::rejected, "the signature"},
        {404, Cause::rejected, "the address"},
        {410, Cause::rejected, "wants no more"},
    };
    for (const Row& row : rows) {
        const auto failure =
            failure_of({.status = row.status, .headers = "Location: http://127.0.0.1:1/\r\n"});
        EXPECT_EQ(failure.cause, row.cause) << row.status << ": " << row.why;
        EXPECT_TRUE(failure.exact);
        EXPECT_EQ(failure.error, "HTTP " + std::to_string(row.status));
    }
    EXPECT_EQ(receiver.requests().size(), std::size(rows)) << "one request each, none elsewhere";
}

TEST_F(WebhookSink, TakesAnyTwoHundredForDelivered) {
    for (const int status : {200, 202, 204}) receiver.answer({.status = status});
    const domain::Event events[] = {event(1), event(2), event(3)};
    EXPECT_EQ(open(options())->deliver(events).delivered, 3U);
}

TEST_F(WebhookSink, TakesAnAnswerThatIsCutForNone) {
    const auto failure = failure_of({.status = 200, .body = "accepted", .kind = Kind::half});
    EXPECT_EQ(failure.cause, Cause::unavailable);
}

TEST_F(WebhookSink, WaitsForAnAnswerOnlySoLong) {
    receiver.answer({.kind = Kind::silence});
    auto wanted = options();
    wanted.timeout = 100ms;
    const domain::Event events[] = {event(1), event(2)};
    const auto sink = open(wanted);
    const auto delivery = sink->deliver(events);
    EXPECT_EQ(delivery.delivered, 0U);
    ASSERT_TRUE(delivery.failure.has_value());
    EXPECT_EQ(delivery.failure->cause, Cause::unavailable);
    EXPECT_EQ(sink->deliver(events).delivered, 2U) << "on a new connection";
}

TEST_F(WebhookSink, IsStoppedInTheMiddleOfARequest) {
    receiver.answer({.kind = Kind::silence});
    const domain::Event events[] = {event(1)};
    const auto sink = open(options());
    auto delivery = std::async(std::launch::async, [&] { return sink->deliver(events); });
    receiver.wait_for(1);
    sink->stop();
    ASSERT_TRUE(delivery.get().failure.has_value());
    EXPECT_EQ(sink->deliver(events).failure->cause, Cause::unavailable);
}

TEST_F(WebhookSink, HasNobodyToTellWhereNobodyListens) {
    auto wanted = options();
    {
        const WebhookReceiver gone;
        wanted.url = gone.url();
    }
    const domain::Event events[] = {event(1)};
    const auto delivery = open(wanted)->deliver(events);
    EXPECT_EQ(delivery.delivered, 0U);
    ASSERT_TRUE(delivery.failure.has_value());
    EXPECT_EQ(delivery.failure->cause, Cause::unavailable);
    EXPECT_THAT(delivery.failure->error, Not(HasSubstr("hush")));
}

TEST_F(WebhookSink, ReadsNoMoreOfAnAnswerThanItNeeds) {
    const auto failure = failure_of({.status = 400, .body = std::string(100'000, 'x')});
    EXPECT_EQ(failure.cause, Cause::invalid) << "the status came whole";
    EXPECT_EQ(failure.error.size(), 1'000U);
}

TEST_F(WebhookSink, LeavesAReceiverAloneThatAskedForRest) {
    receiver.answer({.status = 429, .headers = "Retry-After: 7\r\n"});
    receiver.answer({.status = 503, .headers = "Retry-After: 86400\r\n"});
    const domain::Event events[] = {event(1)};
    const auto sink = open(options());
    const auto try_again = [&] { return sink->deliver(events).delivered; };
    EXPECT_EQ(try_again(), 0U);
    clock.pass(6'999ms);
    EXPECT_EQ(sink->deliver(events).failure->cause, Cause::overloaded);
    EXPECT_EQ(receiver.requests().size(), 1U);
    clock.pass(1ms);
    EXPECT_EQ(try_again(), 0U);
    EXPECT_EQ(receiver.requests().size(), 2U);
    clock.pass(5min);
    EXPECT_EQ(try_again(), 1U) << "five minutes at most";
}

TEST_F(WebhookSink, DoesNotConnectToAPrivateAddressUnlessAllowed) {
    auto wanted = options();
    wanted.allow_private = false;
    const auto refused = webhook::Sink::open(wanted, clock);
    ASSERT_FALSE(refused.has_value());
    EXPECT_THAT(refused.error(), HasSubstr("webhook.allow_private"));
    EXPECT_THAT(refused.error(), Not(HasSubstr("hush")));
}

// As with a name: nothing but the address itself is looked at here.
TEST_F(WebhookSink, LooksAtTheAddressItIsAboutToConnectTo) {
    auto connection = webhook::Connection::open(
        {.url = receiver.url(), .connect_timeout = 1s, .timeout = 1s, .allow_private = false}
    );
    ASSERT_TRUE(connection.has_value());
    const auto reply = (*connection)->post({}, "{}");
    ASSERT_FALSE(reply.has_value());
    EXPECT_THAT(reply.error(), HasSubstr("127.0.0.1 is not on the public internet"));
    EXPECT_TRUE(receiver.requests().empty());
}

TEST_F(WebhookSink, NeedsASecretToStart) {
    auto wanted = options();
    wanted.secret_file.clear();
    EXPECT_THAT(webhook::Sink::open(wanted, clock).error(), HasSubstr("webhook.secret_file"));
    wanted.secret_file = secret_file().string() + ".missing";
    EXPECT_THAT(webhook::Sink::open(wanted, clock).error(), HasSubstr(".missing"));
}

}  // namespace
}  // namespace firstcome::test
