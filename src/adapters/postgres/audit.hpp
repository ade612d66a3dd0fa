// src/adapters/postgres/audit.hpp - checks what PostgreSQL has against the invariants
#pragma once

#include "adapters/postgres/connection.hpp"
#include "domain/types.hpp"
#include "ports/audit_report.hpp"

#include <expected>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace firstcome::postgres {

/// Orders of an item that were placed after its figures in Redis were read.
struct OrdersBetween {
    domain::ItemId item;
    domain::Sequence after = 0;    ///< those above this place in line
    domain::Sequence through = 0;  ///< up to this one
};

/// Reads only, and also beside live nodes: what is under way breaks no invariant.
///
/// Errors   a sentence for the operator: why it could not look
/// Memory   an item's row each; the orders are counted by the server
/// Thread   one at a time
class Audit {
public:
    /// Its calls may take as long as `call_timeout` of the options says: all orders are read.
    explicit Audit(ConnectionOptions options);

    template <typename T>
    using Looked = std::expected<T, std::string>;

    /// How many shards the nodes agreed on.
    [[nodiscard]] Looked<unsigned> shards();

    /// Adds each item and each finding, as of one moment: I1 no oversell, I2 and I4 what an item
    /// counts is what its orders and its last stock movement say, I6 the limit per user (of items
    /// that always had one), I7 places in line without gaps, I8 no order both stored and given up,
    /// I10 whatever was given up has an audit row.
    [[nodiscard]] Looked<void> check(ports::AuditReport& report);

    /// Units taken by these orders, by item; those that are known to be back are not.
    [[nodiscard]] Looked<std::map<domain::ItemId, domain::Units>> taken_between(
        std::span<const OrdersBetween> wanted, domain::WallTime since
    );

private:
    [[nodiscard]] Looked<void> check_items(ports::AuditReport& report);
    [[nodiscard]] Looked<void> check_places(ports::AuditReport& report, std::string_view item);
    [[nodiscard]] Looked<void> check_rest(ports::AuditReport& report);
    [[nodiscard]] Looked<Rows> read(
        std::string_view sql, std::string_view what, std::initializer_list<Param> params = {}
    );

    Connection connection_;
};

}  // namespace firstcome::postgres
