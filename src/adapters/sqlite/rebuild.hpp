// src/adapters/sqlite/rebuild.hpp - memory made anew at start, from the rows of the file
#pragma once

#include "adapters/sqlite/order_rows.hpp"
#include "adapters/sqlite/user_chains.hpp"
#include "base/by_part.hpp"
#include "base/hash.hpp"
#include "base/time.hpp"
#include "domain/shard.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

namespace firstcome::sqlite {

/// Takes the orders of a file in the order they were accepted. Checks everything a row can tell:
/// its checksum, its place in the item's line, its place in the user's chain, and that the item's
/// stock covers it.
///
/// Errors   a sentence for the operator; of what is damaged, that which stands first in the file
/// Thread   one at a time
/// Source   ADR-0004, ADR-0005
class Rebuild {
public:
    struct Options {
        std::vector<domain::Sale*> sales;            ///< by item number, from 1
        std::unordered_set<std::uint64_t> released;  ///< orders whose units were given back
        std::chrono::seconds key_ttl{};
        domain::WallTime now;
        base::MonotonicTime monotonic_now;
    };

    /// `shard`, `chains`, `hash` and the sales outlive this.
    Rebuild(Options options, domain::Shard& shard, UserChains& chains, const base::KeyedHash& hash)
        : options_(std::move(options)), shard_(shard), chains_(chains), hash_(hash) {}

    [[nodiscard]] std::expected<void, std::string> take(std::span<const RowView> rows);

    /// After the last row.
    [[nodiscard]] std::expected<void, std::string> finish();

private:
    struct Key {
        domain::KeyHash key;
        std::uint64_t order_high = 0;
        domain::WallTime accepted_at;
    };

    [[nodiscard]] std::expected<void, std::string> take(const RowView& row);
    [[nodiscard]] std::expected<void, std::string> settle(std::size_t parts);
    [[nodiscard]] std::size_t waiting_max() const;

    Options options_;
    domain::Shard& shard_;         // outlives
    UserChains& chains_;           // outlives
    const base::KeyedHash& hash_;  // outlives
    std::size_t rows_ = 0;         // taken
    base::ByPart<UserChains::Step> steps_;
    base::ByPart<Key> keys_;
};

}  // namespace firstcome::sqlite
