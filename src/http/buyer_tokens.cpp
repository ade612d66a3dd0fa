// src/http/buyer_tokens.cpp - who a buyer is, by a token that was checked once and is remembered
#include "http/buyer_tokens.hpp"

#include "base/assert.hpp"

#include <openssl/evp.h>

#include <cstring>
#include <utility>

namespace firstcome::http {

TokenCache::TokenCache() : rows_(rows) {}

std::optional<domain::UserId> TokenCache::find(
    const base::Hash128& token, std::uint32_t life, base::WallTime now
) {
    const std::size_t at = row_of(token);
    const std::lock_guard lock{locks_[at % lock_count]};
    for (const Entry& entry : rows_[at]) {
        if (entry.life != life || entry.token != token) continue;
        if (now >= entry.expires) return std::nullopt;
        return entry.user;
    }
    return std::nullopt;
}

void TokenCache::keep(
    const base::Hash128& token,
    std::uint32_t life,
    const VerifiedToken& verified,
    base::WallTime now
) {
    const std::size_t at = row_of(token);
    const std::lock_guard lock{locks_[at % lock_count]};
    Row& row = rows_[at];
    // No chance is needed to pick a victim: the hash is as good as a die.
    Entry* place = &row[token.low % row.size()];
    for (Entry& entry : row) {
        if (entry.life != life || now >= entry.expires) place = &entry;
        if (entry.life == life && entry.token == token) {
            place = &entry;
            break;
        }
    }
    *place = {.token = token, .expires = verified.expires, .life = life, .user = verified.user};
}

BuyerTokens::BuyerTokens(
    JwtRules rules, JwtKeys keys, const base::Clock& clock, base::Entropy& entropy
)
    : clock_(clock),
      rulebook_(std::make_shared<Rulebook>(Rulebook{
          .rules = std::move(rules), .keys = std::move(keys), .life = 1})) {
    for (std::uint64_t& word : secret_) word = entropy.next();
}

/// A digest nobody can aim at, not one that is merely fast: two tokens of the same hash would be
/// the same buyer.
base::Hash128 BuyerTokens::hash_of(std::string_view token) const {
    std::array<unsigned char, sizeof(secret_) + jwt_size_max> keyed;
    std::array<std::uint64_t, EVP_MAX_MD_SIZE / 8> digest{};
    FC_ASSERT(token.size() <= jwt_size_max);
    std::memcpy(keyed.data(), secret_.data(), sizeof(secret_));
    std::memcpy(keyed.data() + sizeof(secret_), token.data(), token.size());
    static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    const int made = EVP_Digest(
        keyed.data(),
        sizeof(secret_) + token.size(),
        reinterpret_cast<unsigned char*>(digest.data()),
        nullptr,
        sha256,
        nullptr
    );
    FC_ASSERT(made == 1);
    return {.high = digest[0], .low = digest[1]};
}

std::shared_ptr<const BuyerTokens::Rulebook> BuyerTokens::rulebook() const {
    const std::lock_guard lock{mutex_};
    return rulebook_;
}

std::expected<domain::UserId, TokenFault> BuyerTokens::buyer_of(std::string_view token) {
    if (token.size() > jwt_size_max) return std::unexpected(TokenFault::malformed);
    const base::WallTime now = clock_.wall();
    const base::Hash128 hash = hash_of(token);
    const auto known = cache_.find(hash, life_.load(std::memory_order_acquire), now);
    if (known) return *known;
    const auto book = rulebook();
    verified_.fetch_add(1, std::memory_order_relaxed);
    const auto verified = verify_jwt(token, book->keys, book->rules, now);
    if (!verified) return std::unexpected(verified.error());
    cache_.keep(hash, book->life, *verified, now);
    return verified->user;
}

void BuyerTokens::replace(JwtRules rules, JwtKeys keys) {
    auto next = std::make_shared<Rulebook>(Rulebook{
        .rules = std::move(rules), .keys = std::move(keys), .life = 0});
    const std::lock_guard lock{mutex_};
    next->life = rulebook_->life + 1;
    rulebook_ = std::move(next);
    life_.store(rulebook_->life, std::memory_order_release);
}

}  // namespace firstcome::http
