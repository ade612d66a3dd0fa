// src/telemetry/log.cpp - the bounded queue and the thread behind the log
#include "telemetry/log.hpp"

#include "base/assert.hpp"
#include "telemetry/log_line.hpp"

#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/base_sink.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <shared_mutex>
#include <unistd.h>
#include <utility>

namespace firstcome::log {

namespace {

/// Writes everything or gives up: a log that cannot be written must not stop the service.
void write_to(int descriptor, std::string_view line) {
    while (!line.empty()) {
        const auto written = ::write(descriptor, line.data(), line.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;
        line.remove_prefix(static_cast<std::size_t>(written));
    }
}

/// Hands each line on as it is: it was made where it happened.
class LineSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
public:
    explicit LineSink(std::function<void(std::string_view)> write) : write_(std::move(write)) {}

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        write_({message.payload.data(), message.payload.size()});
    }

    void flush_() override {}

private:
    std::function<void(std::string_view)> write_;
};

struct Backend {
    Format format;
    std::shared_ptr<spdlog::details::thread_pool> pool;
    std::shared_ptr<spdlog::async_logger> logger;
};

struct State {
    std::atomic<Level> level{Level::info};
    std::shared_mutex mutex;  // backend: shared by writers, alone by start and stop
    std::unique_ptr<Backend> backend;
    std::atomic<std::uint64_t> dropped_before{0};  // by backends that are gone
};

/// Never destroyed, so that a line may be written until the very end.
State& state() {
    static State& the_state = *new State;
    return the_state;
}

std::string_view thread_name() {
    thread_local std::array<char, 16> name{};
    // Not kept: threads are named after they have started, and change seldom enough to ask.
    pthread_getname_np(pthread_self(), name.data(), name.size());
    return name.data();
}

}  // namespace

std::string_view name(Level level) {
    switch (level) {
        case Level::trace: return "trace";
        case Level::debug: return "debug";
        case Level::info: return "info";
        case Level::warn: return "warn";
        case Level::error: return "error";
        case Level::off: return "off";
    }
    FC_UNREACHABLE();
}

void start(Options options) {
    FC_ASSERT(options.queue_capacity > 0);
    auto backend = std::make_unique<Backend>();
    const bool is_terminal = !options.write && ::isatty(options.descriptor) == 1;
    backend->format = options.format != Format::automatic ? options.format
                      : is_terminal                       ? Format::text
                                                          : Format::json;
    if (!options.write) {
        options.write = [descriptor = options.descriptor](std::string_view line) {
            write_to(descriptor, line);
        };
    }
    constexpr std::size_t threads = 1;
    backend->pool = std::make_shared<spdlog::details::thread_pool>(
        options.queue_capacity, threads, [] { pthread_setname_np(pthread_self(), "fc-log"); }
    );
    backend->logger = std::make_shared<spdlog::async_logger>(
        "firstcome",
        std::make_shared<LineSink>(std::move(options.write)),
        backend->pool,
        spdlog::async_overflow_policy::overrun_oldest
    );
    backend->logger->set_level(spdlog::level::trace);  // ours is asked before
    const std::unique_lock lock{state().mutex};
    FC_ASSERT(state().backend == nullptr);
    state().backend = std::move(backend);
    set_level(options.level);
}

void stop() {
    std::unique_ptr<Backend> backend;
    {
        const std::unique_lock lock{state().mutex};
        backend = std::move(state().backend);
    }
    if (backend == nullptr) return;
    state().dropped_before += backend->pool->overrun_counter();
    // Waits for the thread, which first writes what is queued; only then may the logger go.
    backend->pool.reset();
}

void set_level(Level level) {
    state().level.store(level, std::memory_order_relaxed);
}

bool enabled(Level level) {
    return level >= state().level.load(std::memory_order_relaxed) && level != Level::off;
}

std::uint64_t dropped() {
    const std::shared_lock lock{state().mutex};
    const auto before = state().dropped_before.load();
    return before + (state().backend ? state().backend->pool->overrun_counter() : 0);
}

void write(Level level, std::string_view message, Fields fields) {
    if (!enabled(level)) return;
    const Record record{
        .at = base::SystemClock{}.wall(),
        .level = level,
        .message = message,
        .thread = thread_name(),
        .fields = {fields.begin(), fields.size()},
    };
    const std::shared_lock lock{state().mutex};
    const Backend* backend = state().backend.get();
    if (backend == nullptr) return write_to(STDERR_FILENO, text_line(record));
    const std::string line =
        backend->format == Format::json ? json_line(record) : text_line(record);
    backend->logger->log(spdlog::level::info, spdlog::string_view_t{line.data(), line.size()});
}

}  // namespace firstcome::log
