// src/base/by_part.hpp - entries on their way into a FlatTable of millions, sorted by its parts
#pragma once

#include "base/flat_table.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace firstcome::base {

/// Collects entries and hands them over part by part. Added one after the other to a table of a
/// gigabyte, each would miss every cache and the address translation too; added by parts, the pages
/// of one part are fetched once for many.
///
/// Order    within a part the order of adding, so entries of one key keep theirs
/// Thread   the owner's only
template <typename Entry>
class ByPart {
public:
    /// `key` is the one the entry has in the table.
    void add(std::uint64_t key, const Entry& entry) {
        parts_[Table::part_index(key)].push_back(entry);
        ++size_;
    }

    [[nodiscard]] std::size_t size() const { return size_; }

    /// Calls `take(span of entries)` for the next so many parts in turn, which are empty then; for
    /// `parts` of them, everything has been handed over.
    template <typename Take>
    void drain(std::size_t count, Take take) {
        for (; count > 0; --count) {
            std::vector<Entry>& part = parts_[next_];
            take(std::span<const Entry>(part));
            size_ -= part.size();
            part.clear();
            next_ = next_ + 1 == parts ? 0 : next_ + 1;
        }
    }

    static constexpr std::size_t parts = FlatTable<Entry>::part_count;

private:
    using Table = FlatTable<Entry>;

    std::array<std::vector<Entry>, parts> parts_;
    std::size_t next_ = 0;  // part to be drained
    std::size_t size_ = 0;
};

}  // namespace firstcome::base
