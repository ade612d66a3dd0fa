// src/adapters/sqlite/log_check.cpp - tells a torn tail of the write-ahead log from damage
#include "adapters/sqlite/log_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <span>
#include <unistd.h>
#include <vector>

namespace firstcome::sqlite {

namespace {

// The header: magic, version, page size, checkpoint number, two salts, two checksums; all
// big-endian.
constexpr std::size_t header_size = 32;
// A frame: page number, size after a commit (0: no commit), two salts, two checksums, then the
// page.
constexpr std::size_t frame_header_size = 24;
constexpr std::uint32_t magic = 0x377f0682;  // its last bit: checksums are of big-endian words

std::uint32_t big_endian(std::span<const unsigned char> bytes, std::size_t at) {
    return std::uint32_t{bytes[at]} << 24U | std::uint32_t{bytes[at + 1]} << 16U |
           std::uint32_t{bytes[at + 2]} << 8U | std::uint32_t{bytes[at + 3]};
}

/// The log's running checksum: every frame's goes on from the one before.
struct Checksum {
    bool big_endian_words = false;
    std::uint32_t first = 0;
    std::uint32_t second = 0;

    void add(std::span<const unsigned char> bytes) {
        for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
            first += word(bytes, at) + second;
            second += word(bytes, at + 4) + first;
        }
    }

    [[nodiscard]] std::uint32_t word(std::span<const unsigned char> bytes, std::size_t at) const {
        const std::uint32_t word = big_endian(bytes, at);
        return big_endian_words ? word : __builtin_bswap32(word);
    }

    [[nodiscard]] bool is(std::span<const unsigned char> bytes, std::size_t at) const {
        return big_endian(bytes, at) == first && big_endian(bytes, at + 4) == second;
    }
};

/// What stands behind the first frame that is not whole.
struct Rest {
    std::uint64_t first_broken = 0;  ///< frame number, from 1; 0: all frames are whole
    bool commit_seen = false;
    bool goes_on = false;  ///< something of this log was written after that commit
};

std::string damaged(const std::string& log, std::string_view where) {
    return fmt::format(
        "{} is damaged {}: orders that were accepted stand in what can no longer be read. Nothing"
        " was changed. Keep the directory as it is, run `firstcome audit` on a copy of it, and"
        " restore the newest backup",
        log,
        where
    );
}

}  // namespace

std::expected<void, std::string> check_log(const std::string& lane_file) {
    const std::string log = lane_file + "-wal";
    std::ifstream in{log, std::ios::binary};
    std::vector<unsigned char> header(header_size);
    const auto read = [&in](std::vector<unsigned char>& into) {
        in.read(reinterpret_cast<char*>(into.data()), static_cast<std::streamsize>(into.size()));
        return in.gcount() == static_cast<std::streamsize>(into.size());
    };
    if (!read(header)) return {};  // no log, or nothing in it yet
    const bool only_lengthened = std::ranges::all_of(header, [](auto byte) { return byte == 0; });
    if (only_lengthened) return {};

    const std::uint32_t found = big_endian(header, 0);
    Checksum checksum{.big_endian_words = (found & 1U) != 0};
    checksum.add(std::span(header).first(24));
    const std::uint32_t page_size = big_endian(header, 8);
    const bool sane = (found & ~1U) == magic && page_size >= 512 && page_size <= 65'536;
    std::vector<unsigned char> frame(frame_header_size + (sane ? page_size : 0));
    if (!sane || !checksum.is(header, 24)) {
        if (in.peek() == std::ifstream::traits_type::eof()) return {};
        return std::unexpected(damaged(log, "in its header"));
    }

    Rest rest;
    for (std::uint64_t number = 1; read(frame); ++number) {
        const bool same_log =
            std::equal(frame.begin() + 8, frame.begin() + 16, header.begin() + 16);
        const bool commits = big_endian(frame, 4) != 0;
        if (rest.first_broken == 0) {
            checksum.add(std::span(frame).first(8));
            checksum.add(std::span(frame).subspan(frame_header_size));
            const bool chained = checksum.is(frame, 16);
            if (same_log && chained) continue;
            rest.first_broken = number;
            // A frame of an older log cannot go on with this one's checksum: its salts were
            // changed.
            if (chained) rest.commit_seen = rest.goes_on = true;
        }
        if (!same_log) continue;
        if (rest.commit_seen) rest.goes_on = true;
        if (commits) rest.commit_seen = true;
    }
    if (!rest.goes_on) return {};
    return std::unexpected(damaged(log, fmt::format("at frame {}", rest.first_broken)));
}

std::expected<void, std::string> lengthen_log(const std::string& lane_file, std::size_t bytes) {
    const std::string log = lane_file + "-wal";
    const auto fail = [&log] {
        return std::unexpected(fmt::format("cannot lengthen {}: {}", log, std::strerror(errno)));
    };
    const int file = ::open(log.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    if (file < 0) return fail();
    const std::vector<char> zeros(std::size_t{1} << 20U);
    auto size = static_cast<std::size_t>(::lseek(file, 0, SEEK_END));
    bool done = true;
    while (done && size < bytes) {
        const ssize_t written = ::write(file, zeros.data(), std::min(zeros.size(), bytes - size));
        done = written > 0;
        size += done ? static_cast<std::size_t>(written) : 0;
    }
    done = ::fdatasync(file) == 0 && done;
    ::close(file);
    if (!done) return fail();
    return {};
}

}  // namespace firstcome::sqlite
