// src/adapters/sqlite/event_cursor.hpp - how far the events were acknowledged, in a file of its own
#pragma once

#include "adapters/sqlite/database.hpp"
#include "adapters/sqlite/stock_watch.hpp"
#include "domain/types.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace firstcome::sqlite {

/// Where a lane's line goes on.
struct EventPlace {
    std::uint64_t order_high = 0;  ///< all events up to this order's are acknowledged
    unsigned done = 0;             ///< and so many of the order after it

    friend bool operator==(const EventPlace&, const EventPlace&) = default;
};

/// What one acknowledgement changes; all of it or nothing.
struct EventProgress {
    std::map<std::size_t, EventPlace> places;                     ///< by lane
    std::unordered_map<domain::ItemId, StockWatch> watches;       ///< as of those places
    std::vector<std::pair<std::size_t, std::uint64_t>> releases;  ///< lane and order, told now
};

/// Written without a sync: a power failure takes it back some steps, and events are repeated.
///
/// Thread   one at a time
class EventCursor {
public:
    /// Makes the file where there is none.
    ///
    /// Errors   a sentence for the operator
    [[nodiscard]] static std::expected<EventCursor, std::string> open(
        const std::filesystem::path& data_dir
    );

    /// Not `.db`, as the lanes' files are: its log need not be there at a start.
    [[nodiscard]] static std::string file_in(const std::filesystem::path& data_dir);

    /// Nothing: this lane was never read.
    [[nodiscard]] std::optional<EventPlace> place(std::size_t lane) const;

    /// Of an item no order was counted of yet: nothing taken.
    [[nodiscard]] StockWatch watch(const domain::ItemId& item) const;

    [[nodiscard]] bool is_told(std::size_t lane, std::uint64_t order_high) const;

    [[nodiscard]] std::expected<void, SqliteError> save(const EventProgress& progress);

private:
    explicit EventCursor(Database database) : database_(std::move(database)) {}

    [[nodiscard]] std::expected<void, SqliteError> load();
    [[nodiscard]] std::expected<void, SqliteError> write(const EventProgress& progress);

    Database database_;
    std::map<std::size_t, EventPlace> places_;
    std::unordered_map<domain::ItemId, StockWatch> watches_;
    std::map<std::size_t, std::unordered_set<std::uint64_t>> told_;
};

}  // namespace firstcome::sqlite
