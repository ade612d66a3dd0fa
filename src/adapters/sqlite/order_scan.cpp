// src/adapters/sqlite/order_scan.cpp - reads all orders of a file while another thread takes them
// in
#include "adapters/sqlite/order_scan.hpp"

#include "adapters/sqlite/damage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <future>
#include <memory>
#include <vector>

namespace firstcome::sqlite {

namespace {

// Enough that handing a block over costs nothing a row; few enough that two stay in the caches.
constexpr std::size_t block_rows = 4'096;
constexpr std::uint64_t progress_every = 1'000'000;  // orders

/// Rows with their texts, which SQLite keeps only until its next step.
class Block {
public:
    Block() : texts_(std::make_unique_for_overwrite<char[]>(block_rows * text_max)) {
        rows_.reserve(block_rows);
    }

    [[nodiscard]] std::span<const RowView> rows() const { return rows_; }

    [[nodiscard]] bool full() const { return rows_.size() == block_rows; }

    void clear() {
        rows_.clear();
        text_bytes_ = 0;
    }

    void add(RowView row) {
        // A longer one is no user of ours: it stays longer, so its row is found not to be whole.
        const std::size_t size = std::min(row.user.size(), text_max);
        char* const text = texts_.get() + text_bytes_;
        std::memcpy(text, row.user.data(), size);
        row.user = {text, size};
        text_bytes_ += size;
        rows_.push_back(row);
    }

private:
    static constexpr std::size_t text_max = domain::UserId::size_max + 1;

    std::vector<RowView> rows_;
    std::unique_ptr<char[]> texts_;
    std::size_t text_bytes_ = 0;
};

std::expected<void, std::string> fill(Block& block, Statement& orders) {
    block.clear();
    while (!block.full()) {
        auto there = orders.step();
        if (!there) return std::unexpected(read_failed(there.error()));
        if (!*there) return {};
        block.add(view_row(orders));
    }
    return {};
}

}  // namespace

std::expected<std::uint64_t, std::string> scan_orders(
    Database& database, TakeRows take, const std::function<void(std::uint64_t orders)>& progress
) {
    auto orders =
        database.prepare(fmt::format("SELECT {} FROM orders o ORDER BY o.id", order_columns));
    if (!orders) return std::unexpected(read_failed(orders.error()));
    std::array<Block, 2> blocks;
    std::future<std::expected<void, std::string>> taking;  // the block before
    std::uint64_t read = 0;
    for (std::size_t turn = 0;; turn = 1 - turn) {
        Block& block = blocks[turn];
        const auto filled = fill(block, *orders);
        if (taking.valid()) {
            if (auto taken = taking.get(); !taken) return std::unexpected(taken.error());
        }
        if (!filled) return std::unexpected(filled.error());
        if (block.rows().empty()) return read;
        taking = std::async(std::launch::async, [&take, &block] { return take(block.rows()); });
        const std::uint64_t before = read;
        read += block.rows().size();
        if (read / progress_every != before / progress_every) progress(read);
        // A step behind the end would begin again at the first row.
        if (!block.full()) break;
    }
    if (auto taken = taking.get(); !taken) return std::unexpected(taken.error());
    return read;
}

}  // namespace firstcome::sqlite
