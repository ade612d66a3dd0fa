// src/adapters/sqlite/backup.cpp - a copy of a data directory that a server can start from
#include "adapters/sqlite/backup.hpp"

#include "adapters/sqlite/data_dir.hpp"
#include "adapters/sqlite/database.hpp"
#include "adapters/sqlite/dead_letters.hpp"
#include "adapters/sqlite/event_cursor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace firstcome::sqlite {

namespace {

using Done = std::expected<void, std::string>;
using Progress = std::function<void(const BackupStep&)>;

std::string said(const std::filesystem::path& file, const SqliteError& error) {
    const bool full = error.kind == SqliteError::Kind::full;
    return fmt::format("{}: {}{}", file.string(), error.text, full ? ": no room" : "");
}

/// The files that are no lane's, how far events were told before all others.
std::vector<std::filesystem::path> side_files(const std::filesystem::path& data_dir) {
    const std::filesystem::path cursor = EventCursor::file_in(data_dir);
    const std::filesystem::path letters = DeadLetters::file_in(data_dir);
    std::vector<std::filesystem::path> others;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(data_dir, ignored)) {
        const auto& path = entry.path();
        if (path.extension() != ".sqlite" || path == cursor || path == letters) continue;
        others.push_back(path);
    }
    std::ranges::sort(others);
    std::vector<std::filesystem::path> files;
    for (const auto& path : {cursor, letters}) {
        if (std::filesystem::exists(path, ignored)) files.push_back(path);
    }
    files.insert(files.end(), others.begin(), others.end());
    return files;
}

/// A file at one moment: that of its opening.
struct Snapshot {
    std::filesystem::path file;
    Database database;
};

std::expected<Snapshot, std::string> snapshot_of(std::filesystem::path file) {
    auto database = Database::open(file.string(), Database::Mode::read);
    if (!database) return std::unexpected(said(file, database.error()));
    // A transaction begins to see with its first read.
    auto begun = database->execute("BEGIN; SELECT count(*) FROM sqlite_schema");
    if (!begun) return std::unexpected(said(file, begun.error()));
    return Snapshot{.file = std::move(file), .database = std::move(*database)};
}

Done copy(Snapshot& from, const std::filesystem::path& directory, const Progress& progress) {
    const std::filesystem::path file = directory / from.file.filename();
    auto target = Database::open(file.string(), Database::Mode::create);
    if (!target) return std::unexpected(said(file, target.error()));
    if (::chmod(file.c_str(), 0600) != 0) {
        return std::unexpected(fmt::format("{}: {}", file.string(), std::strerror(errno)));
    }
    const std::string name = from.file.filename().string();
    auto copied = from.database.copy_to(*target, [&](int done, int pages) {
        progress({.file = name, .pages_done = done, .pages = pages});
    });
    if (!copied) return std::unexpected(said(file, copied.error()));
    return {};
}

Done sync_directory(const std::filesystem::path& path) {
    const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = directory >= 0 && ::fsync(directory) == 0;
    if (directory >= 0) ::close(directory);
    if (synced) return {};
    return std::unexpected(fmt::format("cannot sync {}: {}", path.string(), std::strerror(errno)));
}

/// Removes what is not finished.
class Draft {
public:
    explicit Draft(std::filesystem::path path) : path_(std::move(path)) {}

    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;

    ~Draft() {
        std::error_code ignored;
        if (made_) std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] Done make() {
        made_ = ::mkdir(path_.c_str(), 0700) == 0;
        if (made_) return {};
        const bool left = errno == EEXIST;
        return std::unexpected(fmt::format(
            "cannot make {}: {}",
            path_.string(),
            left ? "it is there already; another backup runs, or one was cut off: then remove it"
                 : std::strerror(errno)
        ));
    }

    [[nodiscard]] Done name_it(const std::filesystem::path& to) {
        if (auto synced = sync_directory(path_); !synced) return synced;
        if (::rename(path_.c_str(), to.c_str()) != 0) {
            return std::unexpected(
                fmt::format("cannot name {}: {}", to.string(), std::strerror(errno))
            );
        }
        made_ = false;
        const auto parent = to.parent_path();
        return sync_directory(parent.empty() ? "." : parent);
    }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
    bool made_ = false;
};

// One after the other and each at once: a file without a log of its own makes its writer wait.
Done copy_side_files(
    const std::filesystem::path& data_dir, const Draft& draft, const Progress& progress
) {
    for (const auto& file : side_files(data_dir)) {
        auto snapshot = snapshot_of(file);
        if (!snapshot) return std::unexpected(snapshot.error());
        if (auto copied = copy(*snapshot, draft.path(), progress); !copied) return copied;
    }
    return {};
}

Done copy_lanes(const DataDir& dir, const Draft& draft, const Progress& progress) {
    std::vector<Snapshot> lanes;
    for (std::size_t lane = 0; lane < dir.lanes(); ++lane) {
        auto snapshot = snapshot_of(dir.lane_file(lane));
        if (!snapshot) return std::unexpected(snapshot.error());
        lanes.push_back(std::move(*snapshot));
    }
    for (Snapshot& lane : lanes) {
        if (auto copied = copy(lane, draft.path(), progress); !copied) return copied;
    }
    return {};
}

/// SQLite's log and index of those who only read: empty, and no part of a backup.
void remove_leftovers(const std::filesystem::path& directory, BackupReport& report) {
    std::error_code ignored;
    std::vector<std::filesystem::path> leftovers;
    for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
        const std::string name = entry.path().filename().string();
        if (name.ends_with("-wal") || name.ends_with("-shm")) {
            leftovers.push_back(entry.path());
            continue;
        }
        ++report.files;
        report.bytes += entry.file_size(ignored);
    }
    for (const auto& path : leftovers) std::filesystem::remove(path, ignored);
}

}  // namespace

std::expected<BackupReport, std::string> backup(
    const std::filesystem::path& data_dir, const std::filesystem::path& to, const Progress& progress
) {
    std::error_code ignored;
    if (std::filesystem::exists(std::filesystem::symlink_status(to, ignored))) {
        return std::unexpected(
            to.string() + " is there already: a backup is never written over anything"
        );
    }
    auto dir = DataDir::look_at(data_dir);
    if (!dir) return std::unexpected(dir.error());
    Draft draft{to.string() + ".partial"};
    auto done = draft.make();
    if (done) done = copy_side_files(data_dir, draft, progress);
    if (done) done = copy_lanes(*dir, draft, progress);
    if (!done) return std::unexpected(std::move(done.error()));

    auto audited = audit(draft.path(), [](std::uint64_t) {});
    if (!audited) return std::unexpected(std::move(audited.error()));
    if (!audited->findings.empty()) {
        return std::unexpected(fmt::format(
            "the copy is not whole, and so is what it was made of: {}. Run `firstcome audit`, and"
            " keep the backups there are",
            audited->findings.front()
        ));
    }
    BackupReport report{.audit = std::move(*audited)};
    remove_leftovers(draft.path(), report);
    if (auto named = draft.name_it(to); !named) return std::unexpected(std::move(named.error()));
    return report;
}

}  // namespace firstcome::sqlite
