// tests/http/jwt_test.cpp - which tokens name a buyer, and every trick that does not
#include "http/jwt.hpp"

#include "tests/http/token_maker.hpp"
#include "tests/support/manual.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::http {
namespace {

using test::ManualClock;
using namespace std::chrono_literals;

constexpr std::string_view secret = "a secret of thirty-two bytes, say";

/// One issuer with a key of each kind; making RSA keys is slow, so once.
struct Issuer {
    SigningKey rsa{"RSA"};
    SigningKey ec{"EC"};
    SigningKey ed{"ED25519"};
    SigningKey stranger{"EC"};
    JwtKeys keys{
        rsa.key("r1"), ec.key("e1"), ed.key("d1"), JwtKey::of_secret("h1", std::string(secret))};
};

Issuer& issuer() {
    static Issuer one;
    return one;
}

const ManualClock& clock_now() {
    static const ManualClock clock;
    return clock;
}

std::int64_t seconds_now() {
    return std::chrono::duration_cast<std::chrono::seconds>(clock_now().wall().time_since_epoch())
        .count();
}

std::string valid_claims(std::string_view more = {}) {
    return R"({"sub":"u1","exp":)" + std::to_string(seconds_now() + 300) + std::string(more) + "}";
}

std::string outcome(std::string_view token, const JwtRules& rules = {}) {
    const auto verified = verify_jwt(token, issuer().keys, rules, clock_now().wall());
    return verified ? std::string(verified->user.text()) : std::string(name(verified.error()));
}

std::string by_secret(std::string_view claims, std::string_view header = R"({"alg":"HS256"})") {
    return token_by_secret(secret, header, claims);
}

TEST(Jwt, HoldsWithEachOfTheFourAlgorithms) {
    const std::string claims = valid_claims();
    EXPECT_EQ(outcome(by_secret(claims)), "u1");
    EXPECT_EQ(outcome(token_by(issuer().rsa, R"({"alg":"RS256"})", claims)), "u1");
    EXPECT_EQ(outcome(token_by(issuer().ec, R"({"alg":"ES256"})", claims)), "u1");
    EXPECT_EQ(outcome(token_by(issuer().ed, R"({"alg":"EdDSA"})", claims)), "u1");
}

TEST(Jwt, ATokenIsRefusedForWhatItsHeaderTriesToArrange) {
    const std::string claims = valid_claims();
    const std::string rsa_pem = issuer().rsa.public_pem();
    const auto ec = [&](std::string_view header) { return token_by(issuer().ec, header, claims); };
    const std::string good = ec(R"({"alg":"ES256"})");

    const struct {
        std::string token;
        const char* expect;
        const char* why;
    } rows[] = {
        {unsigned_token(R"({"alg":"none"})", claims) + ".", "not_supported", "no signature at all"},
        {unsigned_token(R"({"alg":"None"})", claims) + ".", "not_supported", "another spelling"},
        {unsigned_token(R"({"alg":"ES256"})", claims) + ".", "bad_signature", "an empty signature"},
        {unsigned_token(R"({"typ":"JWT"})", claims) + ".", "malformed", "no algorithm"},
        {unsigned_token(R"({"alg":["ES256"]})", claims) + ".", "malformed", "a list of algorithms"},
        {token_by_secret(rsa_pem, R"({"alg":"HS256"})", claims),
         "bad_signature",
         "the RSA public key, taken for a secret"},
        {token_by_secret(rsa_pem, R"({"alg":"HS256","kid":"r1"})", claims),
         "unknown_key",
         "the same, naming the RSA key"},
        {ec(R"({"alg":"RS256"})"), "bad_signature", "signed with P-256, said to be RSA"},
        {ec(R"({"alg":"EdDSA","kid":"e1"})"), "unknown_key", "the key's type decides, not alg"},
        {ec(R"({"alg":"HS256"})"), "bad_signature", "a signature that is no MAC"},
        {ec(R"({"alg":"RS512"})"), "not_supported", "an algorithm we do not have"},
        {ec(R"({"alg":"es256"})"), "not_supported", "names are exact"},
        {ec(R"({"alg":"ES256","kid":"e1"})"), "u1", "the right key by name"},
        {ec(R"({"alg":"ES256","kid":"e2"})"), "unknown_key", "no such key"},
        {ec(R"({"alg":"ES256","kid":"../../../etc/passwd"})"), "unknown_key", "a path"},
        {ec(R"({"alg":"ES256","kid":"e1' OR '1'='1"})"), "unknown_key", "a query"},
        {ec(R"({"alg":"ES256","kid":7})"), "malformed", "a kid that is no text"},
        {ec(R"({"alg":"ES256","alg":"ES256"})"), "malformed", "a member twice"},
        {ec(R"({"alg":"none","\u0061lg":"ES256"})"), "malformed", "twice, once escaped"},
        {ec(R"({"alg":"ES256","crit":["exp"],"exp":1})"), "not_supported", "a critical extension"},
        {ec(R"({"alg":"ES256","crit":[],"b64":false})"), "not_supported", "an empty list of them"},
        {ec(R"({"alg":"ES256","typ":"JWT"})"), "u1", "the usual type"},
        {ec(R"({"alg":"ES256","typ":"at+jwt"})"), "u1", "an access token (RFC 9068)"},
        {ec(R"({"alg":"ES256","typ":"logout+jwt"})"),
         "not_supported",
         "a token for something else"},
        {token_by(
             issuer().stranger,
             R"({"alg":"ES256","jku":"https://evil/keys","jwk":{"kty":"EC"},"x5u":"https://evil"})",
             claims
         ),
         "bad_signature",
         "a key that the token itself brings is not looked at"},
        {token_by(issuer().stranger, R"({"alg":"ES256","kid":"e1"})", claims),
         "bad_signature",
         "another's key under our name"},
        {good.substr(0, good.size() - 2), "bad_signature", "a cut signature"},
        {good + "A", "bad_signature", "a byte more"},
        {good + "AAA", "malformed", "a signature of impossible length"},
        {good + ".", "malformed", "four parts"},
        {good + "..", "malformed", "five parts: an encrypted token"},
        {"=" + good, "malformed", "not base64url"},
        {good.substr(0, good.find('.')), "malformed", "one part"},
        {base64url("[]") + ".e30.", "malformed", "a header that is no object"},
        {base64url("{\"alg\":\"ES256\"} {}") + ".e30.", "malformed", "two objects"},
        {"..", "malformed", "nothing"},
        {"", "malformed", "nothing at all"},
        {std::string(jwt_size_max + 1, 'a'), "malformed", "too long to be looked at"},
        {token_by(
             issuer().ec,
             R"({"alg":"ES256"})",
             valid_claims(R"(,"long":")" + std::string(jwt_size_max, 'x') + "\"")
         ),
         "malformed",
         "too long, though it would hold"},
    };

    for (const auto& row : rows) EXPECT_EQ(outcome(row.token), row.expect) << row.why;
}

TEST(Jwt, ASignatureCoversEveryByteOfHeaderAndPayload) {
    const std::string good = token_by(issuer().ed, R"({"alg":"EdDSA"})", valid_claims());
    const std::size_t signed_size = good.rfind('.');
    for (std::size_t at = 0; at < signed_size; ++at) {
        std::string changed = good;
        changed[at] = changed[at] == 'A' ? 'B' : 'A';
        EXPECT_NE(outcome(changed), "u1") << "byte " << at;
    }
}

TEST(Jwt, ClaimsAreHeldToTheClockAndTheRules) {
    const JwtRules rules{.issuer = "https://id.shop", .audience = "shop", .leeway = 30s};
    const std::int64_t now = seconds_now();
    const auto claims = [&](std::string_view rest, std::int64_t expires) {
        return R"({"iss":"https://id.shop","exp":)" + std::to_string(expires) + std::string(rest) +
               "}";
    };
    const std::string_view mine = R"(,"aud":"shop","sub":"u1")";
    const auto with = [&](std::string_view rest) { return claims(rest, now + 60); };

    const struct {
        std::string claims;
        const char* expect;
        const char* why;
    } rows[] = {
        {with(mine), "u1", "all there"},
        {claims(mine, now - 29), "u1", "just expired: the issuer's clock may be behind"},
        {claims(mine, now - 30), "expired", "beyond the leeway"},
        {R"({"iss":"https://id.shop","aud":"shop","sub":"u1"})", "no_expiry", "holds for ever"},
        {R"({"iss":"https://id.shop","aud":"shop","sub":"u1","exp":null})", "malformed", "null"},
        {R"({"iss":"https://id.shop","aud":"shop","sub":"u1","exp":"9999999999"})",
         "malformed",
         "a text"},
        {R"({"iss":"https://id.shop","aud":"shop","sub":"u1","exp":1e300})", "malformed", "huge"},
        {R"({"iss":"https://id.shop","aud":"shop","sub":"u1","exp":-1})", "malformed", "negative"},
        {R"({"iss":"https://id.shop","aud":"shop","sub":"u1","exp":)" + std::to_string(now + 60) +
             ".5}",
         "u1",
         "a fraction of a second is a number too"},
        {R"({"iss":"https://id.shop","aud":"shop","sub":"u1","exp":18446744073709551616})",
         "malformed",
         "beyond 64 bits"},
        {R"({"iss":"https://id.shop","aud":"shop","sub":"u1","exp":1,"exp":9999999999})",
         "malformed",
         "a claim twice"},
        {with(R"(,"aud":"shop","sub":"u1","nbf":)" + std::to_string(now + 30)), "u1", "leeway"},
        {with(R"(,"aud":"shop","sub":"u1","nbf":)" + std::to_string(now + 31)),
         "not_yet_valid",
         "beyond it"},
        {with(R"(,"aud":["other","shop"],"sub":"u1")"), "u1", "one of several audiences"},
        {with(R"(,"aud":["other"],"sub":"u1")"), "wrong_audience", "somebody else"},
        {with(R"(,"aud":"shop2","sub":"u1")"), "wrong_audience", "a longer name"},
        {with(R"(,"aud":[],"sub":"u1")"), "wrong_audience", "nobody"},
        {with(R"(,"aud":{"shop":1},"sub":"u1")"), "malformed", "an object"},
        {with(R"(,"aud":[["shop"]],"sub":"u1")"), "malformed", "a list in a list"},
        {with(R"(,"sub":"u1")"), "wrong_audience", "no audience, though we are one"},
        {R"({"iss":"https://id.shop.evil","aud":"shop","sub":"u1","exp":9999999999})",
         "wrong_issuer",
         "a longer name"},
        {R"({"aud":"shop","sub":"u1","exp":9999999999})", "wrong_issuer", "no issuer"},
        {with(R"(,"aud":"shop")"), "invalid_subject", "no subject"},
        {with(R"(,"aud":"shop","sub":"")"), "invalid_subject", "an empty one"},
        {with(R"(,"aud":"shop","sub":"a user")"), "invalid_subject", "no user id"},
        {with(R"(,"aud":"shop","sub":")" + std::string(65, 'a') + "\""),
         "invalid_subject",
         "longer than an id"},
        {with(R"(,"aud":"shop","sub":42)"), "malformed", "a number: sub is a text (RFC 7519)"},
        {with(R"(,"aud":"shop","sub":"42")"), "42", "a numeric user"},
        {with(R"(,"aud":"shop","sub":"u1","more":{"sub":"u2","deep":[1,{"exp":1}]})"),
         "u1",
         "what is nested is nobody's claim"},
        {"[1]", "malformed", "no object"},
        {"", "malformed", "nothing"},
    };

    for (const auto& row : rows) {
        EXPECT_EQ(outcome(by_secret(row.claims), rules), row.expect) << row.why << row.claims;
    }
}

TEST(Jwt, ATokenForSomebodyIsNotForWhoeverHasNoName) {
    EXPECT_EQ(outcome(by_secret(valid_claims(R"(,"aud":"shop")"))), "wrong_audience");
    EXPECT_EQ(outcome(by_secret(valid_claims(R"(,"aud":{})"))), "malformed");
    EXPECT_EQ(outcome(by_secret(valid_claims(R"(,"aud":[{}])"))), "malformed");
    EXPECT_EQ(outcome(by_secret(valid_claims(R"(,"iss":"anybody")"))), "u1");
}

TEST(Jwt, TellsWhenItEndsLeewayIncluded) {
    const auto verified = verify_jwt(
        by_secret(valid_claims()), issuer().keys, JwtRules{{}, {}, 10s}, clock_now().wall()
    );
    ASSERT_TRUE(verified);
    EXPECT_EQ(verified->expires, clock_now().wall() + 310s);
}

TEST(Jwt, KeysWithoutANameFitAnyKid) {
    const JwtKeys nameless{issuer().ec.key()};
    const auto token = token_by(issuer().ec, R"({"alg":"ES256","kid":"e1"})", valid_claims());
    EXPECT_TRUE(verify_jwt(token, nameless, {}, clock_now().wall()));
}

TEST(Jwt, EveryFaultHasANameAndASentenceThatMayStandInAHeader) {
    std::set<std::string_view> names;
    for (const TokenFault fault : token_faults) {
        names.insert(name(fault));
        EXPECT_FALSE(sentence(fault).empty());
        EXPECT_EQ(sentence(fault).find_first_of("\"\\\r\n"), std::string_view::npos);
    }
    EXPECT_EQ(names.size(), token_faults.size());
    EXPECT_EQ(name(TokenFault::missing), "missing");
}

}  // namespace
}  // namespace firstcome::http
