// src/adapters/sqlite/checkpointer.cpp - moves the log into the main file on a thread of its own
#include "adapters/sqlite/checkpointer.hpp"

#include "telemetry/log.hpp"

#include <pthread.h>
#include <utility>

namespace firstcome::sqlite {

namespace {

// What the lane is left with: a few hundred pages are a millisecond of writing.
constexpr int rest_pages = 400;
constexpr int passes_max = 4;

}  // namespace

std::expected<std::unique_ptr<Checkpointer>, SqliteError> Checkpointer::start(
    const std::string& file,
    const std::string& name,
    int pages_long,
    std::function<void(std::string_view)> fatal
) {
    auto database = Database::open(file, Database::Mode::write);
    if (!database) return std::unexpected(database.error());
    if (auto set = database->execute("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0");
        !set) {
        return std::unexpected(set.error());
    }
    std::unique_ptr<Checkpointer> made{
        new Checkpointer(std::move(*database), pages_long, std::move(fatal))};
    made->thread_ = std::thread([self = made.get()] { self->run(); });
    ::pthread_setname_np(made->thread_.native_handle(), name.c_str());
    return made;
}

Checkpointer::~Checkpointer() {
    {
        const std::lock_guard lock{mutex_};
        closed_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void Checkpointer::log_has(int pages) {
    if (pages < pages_long_ || working_.load(std::memory_order_relaxed)) return;
    {
        const std::lock_guard lock{mutex_};
        due_ = true;
        working_.store(true, std::memory_order_relaxed);
    }
    wake_.notify_one();
}

void Checkpointer::run() {
    while (true) {
        {
            std::unique_lock lock{mutex_};
            wake_.wait(lock, [this] { return due_ || closed_; });
            if (closed_) return;
            due_ = false;
        }
        move_pages();
        working_.store(false, std::memory_order_relaxed);
    }
}

void Checkpointer::move_pages() {
    for (int pass = 0; pass < passes_max; ++pass) {
        const auto done = database_.checkpoint();
        if (!done) {
            if (needs_new_start(done.error())) fatal_(stop_message(done.error(), "checkpoint"));
            if (!std::exchange(failing_, true)) {
                log::warn(
                    "checkpoint failed; nothing is lost, the log grows until it succeeds",
                    {{"error", done.error().text}}
                );
            }
            return;
        }
        failing_ = false;
        if (done->wal_pages - done->moved_pages <= rest_pages) break;
    }
    finish_due_.store(true);
}

}  // namespace firstcome::sqlite
