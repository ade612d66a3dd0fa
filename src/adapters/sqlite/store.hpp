// src/adapters/sqlite/store.hpp - finds and lists accepted orders, beside the lane that writes them
#pragma once

#include "adapters/sqlite/data_dir.hpp"
#include "adapters/sqlite/database.hpp"
#include "adapters/sqlite/order_rows.hpp"
#include "adapters/sqlite/user_chains.hpp"
#include "base/hash.hpp"
#include "ports/order_store.hpp"

#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace firstcome::sqlite {

/// Reads through connections of its own; a reader never waits for the lane, nor the lane for it.
///
/// Thread   one reader thread
class Store final : public ports::OrderStore {
public:
    /// `chains[i]` is lane i's; they and `hash` outlive the store.
    [[nodiscard]] static std::expected<std::unique_ptr<Store>, std::string> open(
        const DataDir& dir, std::vector<const UserChains*> chains, const base::KeyedHash& hash
    );

    [[nodiscard]] std::expected<std::optional<domain::Order>, ports::StoreError> find(
        domain::OrderId id
    ) override;
    [[nodiscard]] std::expected<ports::OrderPage, ports::StoreError> list(
        const ports::OrderQuery& query
    ) override;

private:
    struct Lane {
        Database database;
        Statement find_order;
        const UserChains* chains = nullptr;  // outlives
    };

    /// An order with the link to its user's one before.
    struct Linked {
        domain::Order order;
        std::uint64_t previous = 0;
    };

    explicit Store(const base::KeyedHash& hash) : hash_(hash) {}

    [[nodiscard]] std::expected<std::optional<Linked>, ports::StoreError> read(
        Lane& lane, std::uint64_t order_high
    );
    [[nodiscard]] std::expected<std::vector<std::optional<Linked>>, ports::StoreError> chain_ends(
        const ports::OrderQuery& query
    );

    const base::KeyedHash& hash_;  // outlives
    std::vector<Lane> lanes_;
};

}  // namespace firstcome::sqlite
