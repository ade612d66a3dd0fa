// tests/http/jwt_keys_test.cpp - which key files are believed, and what operators are told
#include "http/jwt_keys.hpp"

#include "tests/http/token_maker.hpp"
#include "tests/support/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace firstcome::http {
namespace {

using testing::HasSubstr;

struct Pairs {
    SigningKey rsa{"RSA"};
    SigningKey ec{"EC"};
    SigningKey ed{"ED25519"};
};

Pairs& pairs() {
    static Pairs one;
    return one;
}

std::string rsa_jwk(std::string_view more = {}) {
    return R"({"kty":"RSA","kid":"r1","n":")" + base64url(pairs().rsa.number("n")) + R"(","e":")" +
           base64url(pairs().rsa.number("e")) + "\"" + std::string(more) + "}";
}

std::string ec_jwk(std::string_view more = {}) {
    const std::string x = pairs().ec.number("qx");
    const std::string y = pairs().ec.number("qy");
    const auto padded = [](const std::string& part) {
        return std::string(32 - part.size(), '\0') + part;
    };
    return R"({"kty":"EC","crv":"P-256","kid":"e1","x":")" + base64url(padded(x)) + R"(","y":")" +
           base64url(padded(y)) + "\"" + std::string(more) + "}";
}

std::string ed_jwk() {
    return R"({"kty":"OKP","crv":"Ed25519","kid":"d1","x":")" +
           base64url(pairs().ed.octets("pub")) + "\"}";
}

std::string set_of(std::string_view keys) {
    return R"({"keys":[)" + std::string(keys) + "]}";
}

std::string told(const std::expected<JwtKeys, KeyFileError>& loaded) {
    return loaded ? std::to_string(loaded->size()) + " keys" : loaded.error().text;
}

TEST(JwtKeys, AreReadFromASetAndCheckWhatTheirOwnersSigned) {
    const auto keys = jwt_keys_of_set(set_of(rsa_jwk() + "," + ec_jwk() + "," + ed_jwk()));
    ASSERT_TRUE(keys) << keys.error().text;
    ASSERT_EQ(keys->size(), 3U);
    const SigningKey* owners[] = {&pairs().rsa, &pairs().ec, &pairs().ed};
    const JwtAlgorithm algorithms[] = {
        JwtAlgorithm::rs256, JwtAlgorithm::es256, JwtAlgorithm::eddsa};
    for (std::size_t at = 0; at < 3; ++at) {
        EXPECT_EQ((*keys)[at].algorithm(), algorithms[at]);
        EXPECT_TRUE((*keys)[at].signed_by("text", owners[at]->sign("text"))) << at;
        EXPECT_FALSE((*keys)[at].signed_by("Text", owners[at]->sign("text"))) << at;
        EXPECT_FALSE((*keys)[at].signed_by("text", "")) << at;
    }
    EXPECT_EQ((*keys)[0].id(), "r1");
}

TEST(JwtKeys, OfOtherKindsAndUsesArePassedOver) {
    const struct {
        std::string keys;
        const char* told;
        const char* why;
    } rows[] = {
        {rsa_jwk(R"(,"use":"sig","alg":"RS256","key_ops":["verify"])"), "1 keys", "says it all"},
        {rsa_jwk() + R"(,{"kty":"EC","crv":"P-521","x":"AA","y":"AA"})", "1 keys", "another curve"},
        {rsa_jwk() + R"(,{"kty":"AKP","alg":"ML-DSA-65"})", "1 keys", "a kind of the future"},
        {rsa_jwk(R"(,"use":"enc")"), "has no key", "for encryption"},
        {rsa_jwk(R"(,"key_ops":["encrypt"])"), "has no key", "for encryption"},
        {rsa_jwk(R"(,"alg":"PS256")"), "has no key", "for another signature"},
        {R"({"kty":"RSA","n":"AQAB","e":"AQAB"})", "has no key", "a tiny RSA key"},
        {R"({"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"})", "has no key", "no such point"},
        {R"({"kty":"oct","k":"c2hvcnQ"})", "has no key", "a short secret"},
        {rsa_jwk() + "," + rsa_jwk(), "two keys with kid", "which one is meant?"},
        {"7", "no object", "not a key"},
        {"", "has no key", "an empty set"},
    };

    for (const auto& row : rows) {
        EXPECT_THAT(told(jwt_keys_of_set(set_of(row.keys))), HasSubstr(row.told)) << row.why;
    }
    EXPECT_THAT(told(jwt_keys_of_set("{}")), HasSubstr("not a JSON Web Key Set"));
    EXPECT_THAT(told(jwt_keys_of_set("no JSON")), HasSubstr("not a JSON Web Key Set"));
}

TEST(JwtKeys, AreReadFromPemOneAfterTheOther) {
    const std::string both = pairs().rsa.public_pem() + "a comment\n" + pairs().ed.public_pem();
    const auto keys = jwt_keys_of_pem(both);
    ASSERT_TRUE(keys) << keys.error().text;
    ASSERT_EQ(keys->size(), 2U);
    EXPECT_TRUE((*keys)[0].signed_by("text", pairs().rsa.sign("text")));
    EXPECT_TRUE((*keys)[1].signed_by("text", pairs().ed.sign("text")));
}

TEST(JwtKeys, APemFileThatIsNotOneOfPublicKeysIsRefused) {
    EXPECT_THAT(told(jwt_keys_of_pem("")), HasSubstr("holds no PEM key"));
    EXPECT_THAT(told(jwt_keys_of_pem(pairs().ed.private_pem())), HasSubstr("private key"));
    EXPECT_THAT(
        told(jwt_keys_of_pem("-----BEGIN DH PARAMETERS-----\n")), HasSubstr("neither PUBLIC KEY")
    );
    const std::string whole = pairs().ed.public_pem();
    EXPECT_THAT(told(jwt_keys_of_pem(whole.substr(0, 60))), HasSubstr("cannot be read"));
}

JwtKeyFiles only_pem(std::string file) {
    return {.pem = std::move(file), .jwks = {}, .secret = {}};
}

JwtKeyFiles only_jwks(std::string file) {
    return {.pem = {}, .jwks = std::move(file), .secret = {}};
}

JwtKeyFiles only_secret(std::string file) {
    return {.pem = {}, .jwks = {}, .secret = std::move(file)};
}

class JwtKeyFile : public testing::Test {
protected:
    std::string write(std::string_view text, std::filesystem::perms mode) {
        const auto file = dir_.path() / "file";
        std::ofstream{file, std::ios::binary} << text;
        std::filesystem::permissions(file, mode);
        return file.string();
    }

    static constexpr std::filesystem::perms owner{0600};
    static constexpr std::filesystem::perms everybody{0644};

    test::TempDir dir_;
};

TEST_F(JwtKeyFile, WithASecretMustBeItsOwnersOnly) {
    const std::string secret(32, 's');
    EXPECT_EQ(told(load_jwt_keys(only_secret(write(secret + "\n", owner)))), "1 keys");
    EXPECT_THAT(told(load_jwt_keys(only_secret(write(secret, everybody)))), HasSubstr("chmod 600"));
    const std::string set = set_of(R"({"kty":"oct","k":")" + base64url(secret) + "\"}");
    EXPECT_EQ(told(load_jwt_keys(only_jwks(write(set, owner)))), "1 keys");
    EXPECT_THAT(told(load_jwt_keys(only_jwks(write(set, everybody)))), HasSubstr("chmod 600"));
}

TEST_F(JwtKeyFile, OfPublicKeysMayBeAnybodys) {
    EXPECT_EQ(told(load_jwt_keys(only_jwks(write(set_of(ed_jwk()), everybody)))), "1 keys");
}

TEST_F(JwtKeyFile, ThatCannotServeIsRefusedWithItsName) {
    const std::string pem = pairs().rsa.public_pem();
    EXPECT_THAT(told(load_jwt_keys(only_secret(write(pem, owner)))), HasSubstr("auth.key_file"));
    EXPECT_THAT(told(load_jwt_keys(only_secret(write("short", owner)))), HasSubstr("32 bytes"));
    EXPECT_THAT(told(load_jwt_keys({})), HasSubstr("auth.mode = jwt needs"));
    EXPECT_THAT(
        told(load_jwt_keys(only_pem("/no/such.pem"))), HasSubstr("auth.key_file /no/such.pem")
    );
    EXPECT_THAT(told(load_jwt_keys(only_jwks(dir_.path().string()))), HasSubstr("not a file"));
}

TEST(Base64Url, HasOneSpellingForEachText) {
    EXPECT_EQ(base64url_decoded(""), "");
    EXPECT_EQ(base64url_decoded("Zg"), "f");
    EXPECT_EQ(base64url_decoded("Zm8"), "fo");
    EXPECT_EQ(base64url_decoded("Zm9v"), "foo");
    EXPECT_EQ(base64url_decoded("_-_-"), "\xff\xef\xfe");
    for (const char* wrong : {"Z", "Zh", "Zm9", "Zg==", "Z g", "Zm+v", "Zm/v", "Zm9v\n"}) {
        EXPECT_EQ(base64url_decoded(wrong), std::nullopt) << wrong;
    }
}

}  // namespace
}  // namespace firstcome::http
