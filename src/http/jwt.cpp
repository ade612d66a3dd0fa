// src/http/jwt.cpp - whom a buyer's token names, if it holds
#include "http/jwt.hpp"

#include "base/assert.hpp"
#include "http/json_reader.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace firstcome::http {

namespace {

using Kind = JsonValue::Kind;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t members_max = 64;     // of a header or a payload
constexpr std::size_t text_size_max = 512;  // bytes of what is compared: kid, iss, aud, sub
constexpr double time_seconds_max = 1e11;   // the year 5138: far from any overflow

/// The members of one flat JSON object; nested values are skipped, except lists of texts asked for.
class TokenForm {
public:
    virtual ~TokenForm() = default;

    bool open_object() {
        if (!std::exchange(inside_, true)) return true;
        take(member_, {.kind = Kind::object});
        return false;
    }

    bool open_array() {
        if (!inside_) return false;
        if (!in_list_ && begin_list(member_)) {
            in_list_ = true;
            return true;
        }
        take(member_, {.kind = Kind::array});
        return false;
    }

    void close_object() { closed_ = true; }

    void close_array() { in_list_ = false; }

    void key(std::string_view member) {
        member_ = member;
        if (std::ranges::find(seen_, member) != seen_.end() || seen_.size() == members_max) {
            broken = true;
            return;
        }
        seen_.emplace_back(member);
    }

    void value(const JsonValue& value) {
        if (!inside_) return;
        const bool is_long = value.kind == Kind::string && value.text.size() > text_size_max;
        take(member_, is_long ? JsonValue{.kind = Kind::null} : value);
    }

    [[nodiscard]] std::string pointer() const { return {}; }

    /// Whether `text` was one object without a member named twice, all of the right types.
    [[nodiscard]] bool read(std::string_view text) {
        return !read_json(text, *this) && closed_ && !broken;
    }

    bool broken = false;

protected:
    /// Whether the member may be a list; its elements come one by one then.
    [[nodiscard]] virtual bool begin_list(std::string_view member) = 0;
    virtual void take(std::string_view member, const JsonValue& value) = 0;

    /// Into `field`; anything but a text breaks the whole.
    void take_text(std::optional<std::string>& field, const JsonValue& value) {
        if (value.kind != Kind::string) {
            broken = true;
            return;
        }
        field = value.text;
    }

private:
    bool inside_ = false;
    bool closed_ = false;
    bool in_list_ = false;
    std::string member_;
    std::vector<std::string> seen_;
};

class HeaderForm final : public TokenForm {
public:
    std::optional<std::string> algorithm;
    std::optional<std::string> key_id;
    std::optional<std::string> type;
    bool is_critical = false;

private:
    [[nodiscard]] bool begin_list(std::string_view /*member*/) override { return false; }

    void take(std::string_view member, const JsonValue& value) override {
        if (member == "alg") take_text(algorithm, value);
        if (member == "kid") take_text(key_id, value);
        if (member == "typ") take_text(type, value);
        if (member == "crit") is_critical = true;
    }
};

class ClaimsForm final : public TokenForm {
public:
    std::optional<std::string> issuer;
    std::optional<std::string> subject;
    std::optional<milliseconds> expires;
    std::optional<milliseconds> not_before;
    std::vector<std::string> audiences;
    bool has_audience = false;

private:
    [[nodiscard]] bool begin_list(std::string_view member) override {
        if (member != "aud") return false;
        has_audience = true;
        return true;
    }

    void take(std::string_view member, const JsonValue& value) override {
        if (member == "iss") take_text(issuer, value);
        if (member == "sub") take_text(subject, value);
        if (member == "exp") take_time(expires, value);
        if (member == "nbf") take_time(not_before, value);
        if (member != "aud") return;
        std::optional<std::string> one;
        take_text(one, value);
        has_audience = true;
        if (one) audiences.push_back(*std::move(one));
    }

    /// Seconds since 1970, also with a fraction (RFC 7519, NumericDate).
    void take_time(std::optional<milliseconds>& field, const JsonValue& value) {
        double time = static_cast<double>(value.integer);
        if (value.kind == Kind::fraction) {
            const char* end = value.text.data() + value.text.size();
            const auto [stop, error] = std::from_chars(value.text.data(), end, time);
            if (error != std::errc{} || stop != end) time = -1;
        } else if (value.kind != Kind::integer) {
            time = -1;
        }
        if (!(time >= 0 && time <= time_seconds_max)) {
            broken = true;
            return;
        }
        field = milliseconds{static_cast<std::int64_t>(std::floor(time * 1000))};
    }
};

struct Parts {
    std::string_view header;
    std::string_view payload;
    std::string_view signature;
    std::string_view signed_text;  ///< header.payload, as sent
};

std::optional<Parts> split(std::string_view token) {
    if (token.size() > jwt_size_max) return std::nullopt;
    const auto first = token.find('.');
    if (first == std::string_view::npos) return std::nullopt;
    const auto second = token.find('.', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    if (token.find('.', second + 1) != std::string_view::npos) return std::nullopt;
    return Parts{
        .header = token.substr(0, first),
        .payload = token.substr(first + 1, second - first - 1),
        .signature = token.substr(second + 1),
        .signed_text = token.substr(0, second),
    };
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
    const auto lower = [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    return std::ranges::equal(a, b, {}, lower, lower);
}

/// The header's `alg`, when everything it says is something we understand.
std::expected<JwtAlgorithm, TokenFault> algorithm_of(const HeaderForm& header) {
    if (!header.algorithm) return std::unexpected(TokenFault::malformed);
    const bool is_ours = !header.type || same_ignoring_case(*header.type, "JWT") ||
                         same_ignoring_case(*header.type, "at+jwt");
    const auto algorithm = jwt_algorithm_from(*header.algorithm);
    if (header.is_critical || !is_ours || !algorithm) {
        return std::unexpected(TokenFault::not_supported);
    }
    return *algorithm;
}

std::optional<TokenFault> check_signature(
    const Parts& parts, const HeaderForm& header, JwtAlgorithm algorithm, const JwtKeys& keys
) {
    const auto signature = base64url_decoded(parts.signature);
    if (!signature) return TokenFault::malformed;
    bool tried = false;
    for (const JwtKey& key : keys) {
        if (key.algorithm() != algorithm) continue;
        if (header.key_id && !key.id().empty() && key.id() != *header.key_id) continue;
        tried = true;
        if (key.signed_by(parts.signed_text, *signature)) return std::nullopt;
    }
    return tried ? TokenFault::bad_signature : TokenFault::unknown_key;
}

std::expected<VerifiedToken, TokenFault> check_claims(
    const ClaimsForm& claims, const JwtRules& rules, base::WallTime now
) {
    if (!claims.expires) return std::unexpected(TokenFault::no_expiry);
    const base::WallTime expires{*claims.expires + rules.leeway};
    if (now >= expires) return std::unexpected(TokenFault::expired);
    if (claims.not_before && now + rules.leeway < base::WallTime{*claims.not_before}) {
        return std::unexpected(TokenFault::not_yet_valid);
    }
    if (!rules.issuer.empty() && claims.issuer != rules.issuer) {
        return std::unexpected(TokenFault::wrong_issuer);
    }
    const bool is_for_us =
        rules.audience.empty()
            ? !claims.has_audience
            : std::ranges::find(claims.audiences, rules.audience) != claims.audiences.end();
    if (!is_for_us) return std::unexpected(TokenFault::wrong_audience);
    const auto user =
        claims.subject ? domain::UserId::from(*claims.subject) : std::optional<domain::UserId>{};
    if (!user) return std::unexpected(TokenFault::invalid_subject);
    return VerifiedToken{.user = *user, .expires = expires};
}

}  // namespace

std::string_view name(TokenFault fault) {
    switch (fault) {
        case TokenFault::missing: return "missing";
        case TokenFault::malformed: return "malformed";
        case TokenFault::not_supported: return "not_supported";
        case TokenFault::unknown_key: return "unknown_key";
        case TokenFault::bad_signature: return "bad_signature";
        case TokenFault::no_expiry: return "no_expiry";
        case TokenFault::expired: return "expired";
        case TokenFault::not_yet_valid: return "not_yet_valid";
        case TokenFault::wrong_issuer: return "wrong_issuer";
        case TokenFault::wrong_audience: return "wrong_audience";
        case TokenFault::invalid_subject: return "invalid_subject";
    }
    FC_UNREACHABLE();
}

std::string_view sentence(TokenFault fault) {
    switch (fault) {
        case TokenFault::missing: return "Send Authorization: Bearer with your token.";
        case TokenFault::malformed: return "The token is not a well-formed signed JWT.";
        case TokenFault::not_supported:
            return "The token's algorithm, type or critical extension is not accepted here.";
        case TokenFault::unknown_key: return "The token is signed with a key that is not known.";
        case TokenFault::bad_signature: return "The token's signature does not hold.";
        case TokenFault::no_expiry: return "The token has no exp.";
        case TokenFault::expired: return "The token has expired; get a new one.";
        case TokenFault::not_yet_valid: return "The token is not valid yet.";
        case TokenFault::wrong_issuer: return "The token is from another issuer.";
        case TokenFault::wrong_audience: return "The token is for another audience.";
        case TokenFault::invalid_subject: return "The token's sub is not a user id.";
    }
    FC_UNREACHABLE();
}

std::expected<VerifiedToken, TokenFault> verify_jwt(
    std::string_view token, const JwtKeys& keys, const JwtRules& rules, base::WallTime now
) {
    const auto parts = split(token);
    if (!parts) return std::unexpected(TokenFault::malformed);
    const auto header_text = base64url_decoded(parts->header);
    HeaderForm header;
    if (!header_text || !header.read(*header_text)) return std::unexpected(TokenFault::malformed);
    const auto algorithm = algorithm_of(header);
    if (!algorithm) return std::unexpected(algorithm.error());
    if (const auto fault = check_signature(*parts, header, *algorithm, keys)) {
        return std::unexpected(*fault);
    }
    const auto payload = base64url_decoded(parts->payload);
    ClaimsForm claims;
    if (!payload || !claims.read(*payload)) return std::unexpected(TokenFault::malformed);
    return check_claims(claims, rules, now);
}

}  // namespace firstcome::http
