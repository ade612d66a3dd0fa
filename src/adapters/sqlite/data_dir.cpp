// src/adapters/sqlite/data_dir.cpp - the data directory: one owner, one secret, one file per lane
#include "adapters/sqlite/data_dir.hpp"

#include "adapters/sqlite/database.hpp"
#include "adapters/sqlite/log_check.hpp"
#include "adapters/sqlite/schema.sql.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <span>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace firstcome::sqlite {

namespace {

constexpr int schema_version = 1;
constexpr int application_id = 0x46435630;  // "FCV0", so that file(1) and we know our own

std::string explain(const std::string& file, const SqliteError& error) {
    if (error.kind == SqliteError::Kind::corrupt) {
        return fmt::format(
            "{} is damaged: {}. Nothing was changed. Keep the directory as it is, run `firstcome"
            " audit` on a copy of it, and restore the newest backup",
            file,
            error.text
        );
    }
    if (error.kind == SqliteError::Kind::full) {
        return fmt::format(
            "{}: no room on the disk ({}). Make room, then start again", file, error.text
        );
    }
    return fmt::format("{}: {}", file, error.text);
}

std::span<const std::byte> bytes(const base::KeyedHash::Secret& secret) {
    return secret;
}

}  // namespace

DataDir::DataDir(DataDir&& other) noexcept
    : path_(std::move(other.path_)),
      lock_file_(std::exchange(other.lock_file_, -1)),
      lanes_(other.lanes_),
      secret_(other.secret_) {}

DataDir::~DataDir() {
    if (lock_file_ >= 0) ::close(lock_file_);
}

std::string DataDir::lane_file(std::size_t lane) const {
    return (path_ / fmt::format("lane-{:02}.db", lane)).string();
}

std::expected<DataDir, std::string> DataDir::open(
    const std::filesystem::path& path, std::size_t lanes, base::Entropy& entropy
) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
        return std::unexpected(fmt::format(
            "cannot make the data directory {}: {}. Give another with --data, or make its parent",
            path.string(),
            std::strerror(errno)
        ));
    }
    DataDir dir{path};
    if (auto locked = dir.lock(); !locked) return std::unexpected(locked.error());

    std::error_code ignored;
    const bool is_new = !std::filesystem::exists(dir.lane_file(0), ignored);
    if (is_new) {
        for (const auto& entry : std::filesystem::directory_iterator(path, ignored)) {
            const std::string name = entry.path().filename().string();
            if (!name.starts_with("lane-") || name.find(".db.new") != name.npos) continue;
            return std::unexpected(fmt::format(
                "{} holds {} but no lane-00.db: orders are missing. Put the file back or restore a"
                " backup (if this directory never served an order, remove it)",
                path.string(),
                name
            ));
        }
        if (auto created = dir.create(lanes, entropy); !created) {
            return std::unexpected(created.error());
        }
        return dir;
    }
    if (auto checked = dir.check_logs(); !checked) return std::unexpected(checked.error());
    if (auto read = dir.read_meta(); !read) return std::unexpected(read.error());
    if (dir.lanes_ != lanes) {
        return std::unexpected(fmt::format(
            "{} was made with lane.count = {}, and items are stored by it: start with that value"
            " (you asked for {})",
            path.string(),
            dir.lanes_,
            lanes
        ));
    }
    return dir;
}

std::expected<DataDir, std::string> DataDir::look_at(const std::filesystem::path& path) {
    DataDir dir{path};
    std::error_code ignored;
    if (!std::filesystem::exists(dir.lane_file(0), ignored)) {
        return std::unexpected(
            fmt::format("{} is no data directory: it has no lane-00.db", path.string())
        );
    }
    // While a server writes, the end of its log is in motion and tells nothing. A shared lock for a
    // moment only asks: a start that comes just then waits for it.
    const int lock = ::open((path / "LOCK").c_str(), O_RDONLY | O_CLOEXEC);
    const bool server_runs = lock >= 0 && ::flock(lock, LOCK_SH | LOCK_NB) != 0;
    if (lock >= 0) ::close(lock);
    if (!server_runs) {
        if (auto checked = dir.check_logs(); !checked) return std::unexpected(checked.error());
    }
    if (auto read = dir.read_meta(); !read) return std::unexpected(read.error());
    return dir;
}

std::expected<void, std::string> DataDir::lock() {
    const std::string file = (path_ / "LOCK").string();
    lock_file_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock_file_ < 0) {
        return std::unexpected(fmt::format(
            "cannot write in the data directory {}: {}. It must belong to the user who runs"
            " firstcome, mode 0700",
            path_.string(),
            std::strerror(errno)
        ));
    }
    if (::flock(lock_file_, LOCK_EX | LOCK_NB) != 0) {
        return std::unexpected(fmt::format(
            "another firstcome is running on {}. Stop it first, or give another directory with"
            " --data",
            path_.string()
        ));
    }
    return {};
}

// lane-00.db is made last and under its final name at once, so it is there only when all are whole.
std::expected<void, std::string> DataDir::create(std::size_t lanes, base::Entropy& entropy) {
    lanes_ = lanes;
    secret_ = base::KeyedHash::new_secret(entropy);
    for (std::size_t lane = lanes; lane-- > 0;) {
        if (auto made = create_lane(lane); !made) return made;
    }
    return {};
}

std::expected<void, std::string> DataDir::create_lane(std::size_t lane) {
    const std::string file = lane_file(lane);
    const std::string draft = file + ".new";
    std::error_code ignored;
    for (const char* part : {"", "-journal", "-wal", "-shm"}) {
        std::filesystem::remove(draft + part, ignored);
    }
    {
        auto database = Database::open(draft, Database::Mode::create);
        if (!database) return std::unexpected(explain(file, database.error()));
        const auto fail = [&](const SqliteError& error) {
            return std::unexpected(explain(file, error));
        };
        const std::string prologue = fmt::format(
            "PRAGMA application_id = {}; PRAGMA user_version = {}; PRAGMA synchronous = FULL;",
            application_id,
            schema_version
        );
        if (auto done = database->execute(prologue); !done) return fail(done.error());
        if (auto done = database->execute("BEGIN"); !done) return fail(done.error());
        if (auto done = database->execute(std::string(schema_sql)); !done)
            return fail(done.error());
        auto insert = database->prepare("INSERT INTO meta (name, value) VALUES (?, ?)");
        if (!insert) return fail(insert.error());
        insert->bind(0, std::string_view("hash_secret"));
        insert->bind(1, bytes(secret_));
        if (auto done = insert->run(); !done) return fail(done.error());
        for (const auto& [name, value] :
             {std::pair{"lane", lane}, std::pair{"lane_count", lanes_}}) {
            insert->bind(0, std::string_view(name));
            insert->bind(1, static_cast<std::int64_t>(value));
            if (auto done = insert->run(); !done) return fail(done.error());
        }
        if (auto done = database->execute("COMMIT"); !done) return fail(done.error());
        if (auto done = database->execute("PRAGMA journal_mode = WAL"); !done) {
            return fail(done.error());
        }
        if (auto done = database->empty_log(); !done) return fail(done.error());
    }
    std::filesystem::remove(draft + "-wal", ignored);
    std::filesystem::remove(draft + "-shm", ignored);
    ::chmod(draft.c_str(), 0600);
    if (::rename(draft.c_str(), file.c_str()) != 0) {
        return std::unexpected(fmt::format("cannot name {}: {}", file, std::strerror(errno)));
    }
    return sync();
}

// What was made, renamed or removed in the directory is so also after a power failure.
std::expected<void, std::string> DataDir::sync() const {
    const int directory = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = directory >= 0 && ::fsync(directory) == 0;
    if (directory >= 0) ::close(directory);
    if (!synced) {
        return std::unexpected(
            fmt::format("cannot sync {}: {}", path_.string(), std::strerror(errno))
        );
    }
    return {};
}

std::expected<void, std::string> DataDir::mark_running() {
    const int file = ::open(running_file().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) {
        return std::unexpected(
            fmt::format("cannot make {}: {}", running_file().string(), std::strerror(errno))
        );
    }
    ::close(file);
    return sync();
}

std::expected<void, std::string> DataDir::mark_stopped() {
    std::error_code error;
    std::filesystem::remove(running_file(), error);
    if (error) {
        return std::unexpected(
            fmt::format("cannot remove {}: {}", running_file().string(), error.message())
        );
    }
    return sync();
}

// A server that was killed leaves RUNNING and its logs; one that ended cleanly leaves neither
// orders in a log nor RUNNING. Looked at before SQLite opens a file, since that makes an empty log.
std::expected<void, std::string> DataDir::check_logs() const {
    std::error_code ignored;
    const bool was_running = std::filesystem::exists(running_file(), ignored);
    for (const auto& entry : std::filesystem::directory_iterator(path_, ignored)) {
        const std::string file = entry.path().string();
        if (!file.ends_with(".db")) continue;
        const std::string log = file + "-wal";
        if (was_running && !std::filesystem::exists(log, ignored)) {
            return std::unexpected(fmt::format(
                "{} is missing, and the server did not end cleanly: accepted orders stood in that"
                " log. Put it back, or restore a backup into another directory. If you know that it"
                " was empty, remove {}",
                log,
                running_file().string()
            ));
        }
        if (auto checked = check_log(file); !checked) return checked;
    }
    return {};
}

std::expected<void, std::string> DataDir::read_meta() {
    const std::string file = lane_file(0);
    auto database = Database::open(file, Database::Mode::write);
    if (!database) return std::unexpected(explain(file, database.error()));
    auto version = database->prepare("SELECT * FROM pragma_user_version, pragma_application_id");
    if (!version) return std::unexpected(explain(file, version.error()));
    auto row = version->step();
    if (!row) return std::unexpected(explain(file, row.error()));
    if (!*row || version->integer(1) != application_id) {
        return std::unexpected(fmt::format("{} is not a firstcome database", file));
    }
    if (version->integer(0) != schema_version) {
        return std::unexpected(fmt::format(
            "{} has schema version {}, this program knows {}: use the version of firstcome that"
            " wrote it",
            file,
            version->integer(0),
            schema_version
        ));
    }
    version->reset();
    auto meta = database->prepare(
        "SELECT (SELECT value FROM meta WHERE name = 'hash_secret'),"
        " (SELECT value FROM meta WHERE name = 'lane_count')"
    );
    if (!meta) return std::unexpected(explain(file, meta.error()));
    row = meta->step();
    if (!row) return std::unexpected(explain(file, row.error()));
    const auto secret = meta->blob(0);
    const std::int64_t lanes = meta->integer(1);
    if (secret.size() != secret_.size() || lanes < 1 || lanes > 64) {
        return std::unexpected(
            explain(file, {SqliteError::Kind::corrupt, "the meta table is not whole"})
        );
    }
    std::memcpy(secret_.data(), secret.data(), secret.size());
    lanes_ = static_cast<std::size_t>(lanes);
    for (std::size_t lane = 1; lane < lanes_; ++lane) {
        if (auto checked = check_lane(lane); !checked) return checked;
    }
    return {};
}

std::expected<void, std::string> DataDir::check_lane(std::size_t lane) const {
    const std::string file = lane_file(lane);
    std::error_code ignored;
    if (!std::filesystem::exists(file, ignored)) {
        return std::unexpected(fmt::format(
            "{} is missing: its orders are not here. Put the file back or restore a backup;"
            " firstcome never starts without it",
            file
        ));
    }
    auto database = Database::open(file, Database::Mode::write);
    if (!database) return std::unexpected(explain(file, database.error()));
    auto meta = database->prepare(
        "SELECT (SELECT value FROM meta WHERE name = 'hash_secret'),"
        " (SELECT value FROM meta WHERE name = 'lane')"
    );
    if (!meta) return std::unexpected(explain(file, meta.error()));
    auto row = meta->step();
    if (!row) return std::unexpected(explain(file, row.error()));
    const auto secret = meta->blob(0);
    const bool same_secret = secret.size() == secret_.size() &&
                             std::memcmp(secret.data(), secret_.data(), secret.size()) == 0;
    if (!same_secret || meta->integer(1) != static_cast<std::int64_t>(lane)) {
        return std::unexpected(
            fmt::format("{} belongs to another data directory: put the right file back", file)
        );
    }
    return {};
}

}  // namespace firstcome::sqlite
