// tests/adapters/webhook/signature_test.cpp - signatures any receiver's library agrees with
#include "adapters/webhook/signature.hpp"

#include "tests/support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace firstcome::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using webhook::Signer;

constexpr std::string_view secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr std::string_view other = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

// The example vector of the Standard Webhooks and Svix libraries, made again in a shell with
//   key=$(echo MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw | base64 -d | od -An -tx1 | tr -d ' \n')
//   printf '%s' 'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}' |
//     openssl dgst -sha256 -mac HMAC -macopt hexkey:$key -binary | base64
constexpr std::string_view id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
constexpr std::int64_t timestamp = 1'614'265'330;
constexpr std::string_view body = R"({"test": 2432232314})";
constexpr std::string_view signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

TEST(Signer, SignsTheStandardsOwnExample) {
    EXPECT_EQ(Signer::from(secret).value().sign(id, timestamp, body), signature);
}

TEST(Signer, SignsWithBothSecretsWhileOneReplacesTheOther) {
    const auto both = Signer::from(std::string(secret) + "\n" + std::string(other) + "\n").value();
    const auto second = Signer::from(other).value().sign(id, timestamp, body);
    EXPECT_EQ(both.sign(id, timestamp, body), std::string(signature) + " " + second);
    EXPECT_NE(second, signature);
}

TEST(Signer, TakesOnlyWholeSecretsAndNeverShowsOne) {
    struct Row {
        std::string text;
        std::string_view said;
    };

    const std::string bytes_23 = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRY=";
    const std::string bytes_65 = "whsec_" + std::string(86, 'A') + "A=";
    const Row rows[] = {
        {"", "no webhook secret"},
        {" \n", "no webhook secret"},
        {"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "does not begin with"},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "not base64"},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-w", "not base64"},
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaL===", "not base64"},
        {"whsec_", "not base64"},
        {bytes_23, "23 bytes"},
        {bytes_65, "65 bytes"},
        {std::string(secret) + " whsec_xy", "secret 2"},
        {std::string(secret) + " " + std::string(other) + " " + std::string(secret), "3 webhook"},
    };
    for (const Row& row : rows) {
        const auto made = Signer::from(row.text);
        ASSERT_FALSE(made.has_value()) << row.said;
        EXPECT_THAT(made.error(), HasSubstr(row.said));
        EXPECT_THAT(made.error(), Not(HasSubstr("MfKQ"))) << row.said;
    }
    EXPECT_TRUE(Signer::from("whsec_" + std::string(84, 'A') + "AA==").has_value()) << "64 bytes";
}

TEST(Signer, SaysWhichFileItCannotRead) {
    const TempDir dir;
    const auto path = dir.path() / "secret";
    EXPECT_THAT(Signer::from_file(path).error(), HasSubstr(path.string()));
    std::ofstream{path} << secret;
    std::filesystem::permissions(path, std::filesystem::perms{0644});
    EXPECT_THAT(Signer::from_file(path).error(), HasSubstr("run chmod 600"));
    std::filesystem::permissions(path, std::filesystem::perms{0600});
    std::ofstream{path} << "not a secret";
    EXPECT_THAT(Signer::from_file(path).error(), HasSubstr("does not begin with"));
    std::ofstream{path} << std::string(5'000, ' ');
    EXPECT_THAT(Signer::from_file(path).error(), HasSubstr("larger than 4096 bytes"));
    std::ofstream{path} << secret << "\n";
    EXPECT_EQ(Signer::from_file(path).value().sign(id, timestamp, body), signature);
}

}  // namespace
}  // namespace firstcome::test
