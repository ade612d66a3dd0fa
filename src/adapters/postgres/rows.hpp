// src/adapters/postgres/rows.hpp - what a statement gave, read in place
#pragma once

#include "base/time.hpp"
#include "domain/event.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

struct pg_result;

namespace firstcome::postgres {

/// What a statement gave, in binary form. Rows and columns count from 0. Texts and bytes are views
/// into it.
class Rows {
public:
    Rows() = default;

    [[nodiscard]] std::size_t size() const;

    [[nodiscard]] bool empty() const { return size() == 0; }

    /// Rows inserted, updated or deleted.
    [[nodiscard]] std::uint64_t changed() const;

    [[nodiscard]] bool is_null(std::size_t row, int column) const;
    [[nodiscard]] std::int64_t integer(std::size_t row, int column) const;  ///< int2, int4, int8
    [[nodiscard]] bool boolean(std::size_t row, int column) const;
    [[nodiscard]] std::string_view text(std::size_t row, int column) const;  ///< jsonb: as `::text`
    [[nodiscard]] std::span<const std::byte> bytes(std::size_t row, int column) const;
    [[nodiscard]] domain::OrderId id(std::size_t row, int column) const;          ///< uuid
    [[nodiscard]] base::WallTime time(std::size_t row, int column) const;         ///< timestamptz
    [[nodiscard]] domain::KeyHash key(std::size_t row, int column) const;         ///< 16 bytes
    [[nodiscard]] domain::TraceContext trace(std::size_t row, int column) const;  ///< null: none
    [[nodiscard]] std::optional<std::int64_t> maybe_integer(std::size_t row, int column) const;
    [[nodiscard]] std::optional<base::WallTime> maybe_time(std::size_t row, int column) const;
    [[nodiscard]] std::optional<domain::KeyHash> maybe_key(std::size_t row, int column) const;

private:
    friend class Connection;

    struct Clear {
        void operator()(pg_result* result) const;
    };

    explicit Rows(pg_result* result) : result_(result) {}

    [[nodiscard]] std::string_view cell(std::size_t row, int column) const;

    std::unique_ptr<pg_result, Clear> result_;
};

}  // namespace firstcome::postgres
