// src/http/buyer_tokens.hpp - who a buyer is, by a token that was checked once and is remembered
#pragma once

#include "base/entropy.hpp"
#include "base/hash.hpp"
#include "base/time.hpp"
#include "domain/types.hpp"
#include "http/jwt.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

namespace firstcome::http {

/// Tokens that held, by a keyed hash, until they expire: a fixed table in which a newcomer takes
/// the place of one that has expired or, when none has, of another of its row.
///
/// Thread   any; one lock in 64 parts
class TokenCache {
public:
    static constexpr std::size_t rows = std::size_t{1} << 14U;
    static constexpr std::size_t tokens_max = rows * 4;  ///< about 7 MB

    TokenCache();

    /// `life`: of the keys the token was checked with; those of an earlier one are forgotten.
    [[nodiscard]] std::optional<domain::UserId> find(
        const base::Hash128& token, std::uint32_t life, base::WallTime now
    );
    void keep(
        const base::Hash128& token,
        std::uint32_t life,
        const VerifiedToken& verified,
        base::WallTime now
    );

private:
    struct Entry {
        base::Hash128 token;
        base::WallTime expires{};
        std::uint32_t life = 0;  // 0: empty
        domain::UserId user;
    };

    using Row = std::array<Entry, tokens_max / rows>;

    static constexpr std::size_t lock_count = 64;

    [[nodiscard]] static std::size_t row_of(const base::Hash128& token) {
        return token.high % rows;
    }

    std::vector<Row> rows_;
    std::array<std::mutex, lock_count> locks_;
};

/// auth.mode = jwt: names the buyer a token speaks for.
class BuyerTokens {
public:
    /// `clock` outlives this.
    BuyerTokens(JwtRules rules, JwtKeys keys, const base::Clock& clock, base::Entropy& entropy);

    /// A token seen before costs a hash and a look; a new one its signature.
    ///
    /// Thread   any
    [[nodiscard]] std::expected<domain::UserId, TokenFault> buyer_of(std::string_view token);

    /// Other keys and rules from now on: every token is checked anew.
    ///
    /// Thread   any
    void replace(JwtRules rules, JwtKeys keys);

    /// Signatures checked so far; the rest was remembered.
    [[nodiscard]] std::uint64_t verified() const {
        return verified_.load(std::memory_order_relaxed);
    }

private:
    struct Rulebook {
        JwtRules rules;
        JwtKeys keys;
        std::uint32_t life = 1;
    };

    [[nodiscard]] base::Hash128 hash_of(std::string_view token) const;
    [[nodiscard]] std::shared_ptr<const Rulebook> rulebook() const;

    const base::Clock& clock_;  // outlives
    std::array<std::uint64_t, 4> secret_;
    std::atomic<std::uint32_t> life_{1};
    std::atomic<std::uint64_t> verified_{0};
    mutable std::mutex mutex_;  // of the pointer alone
    std::shared_ptr<const Rulebook> rulebook_;
    TokenCache cache_;
};

}  // namespace firstcome::http
