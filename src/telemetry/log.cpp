// src/telemetry/log.cpp - the bounded queue and the thread behind the log
#include "telemetry/log.hpp"

#include "base/assert.hpp"
#include "base/time.hpp"
#include "telemetry/current_trace.hpp"
#include "telemetry/log_line.hpp"

#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/base_sink.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>
#include <mutex>
#include <poll.h>
#include <pthread.h>
#include <shared_mutex>
#include <unistd.h>
#include <utility>
#include <vector>

namespace firstcome::log {

namespace {

constexpr std::chrono::milliseconds look_every{100};  // whether somebody reads again
constexpr std::chrono::seconds stop_patience{1};
constexpr std::chrono::seconds report_every{1};
constexpr std::size_t chunk_max = 4096;  // PIPE_BUF: a pipe that polls writable takes as much

/// When a writer that nobody reads gives up.
class Patience {
public:
    void end_soon() {
        const auto ends = base::SystemClock{}.monotonic() + stop_patience;
        ends_ns_.store(ends.time_since_epoch().count());
    }

    [[nodiscard]] bool is_over() const {
        const auto ends = ends_ns_.load(std::memory_order_relaxed);
        return ends != 0 && base::SystemClock{}.monotonic().time_since_epoch().count() > ends;
    }

private:
    std::atomic<std::int64_t> ends_ns_{0};  // 0: not yet known
};

/// Writes everything, or gives up: a log that cannot be written must neither stop the service nor
/// keep it from stopping.
void write_to(int descriptor, std::string_view line, const Patience& patience) {
    while (!line.empty()) {
        pollfd writable{.fd = descriptor, .events = POLLOUT, .revents = 0};
        // What still fits is written: a last word is worth more than the many before it.
        const bool over = patience.is_over();
        const int ready = ::poll(&writable, 1, over ? 0 : static_cast<int>(look_every.count()));
        if (ready == 0 && over) return;
        if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
        const auto written = ::write(descriptor, line.data(), std::min(line.size(), chunk_max));
        if (written < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (written <= 0) return;
        line.remove_prefix(static_cast<std::size_t>(written));
    }
}

std::string made(Format format, const Record& record) {
    return format == Format::json ? json_line(record) : text_line(record);
}

/// Hands each line on as it is, since it was made where it happened; and says what is missing.
class LineSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
public:
    LineSink(std::function<void(std::string_view)> write, Format format)
        : write_(std::move(write)), format_(format) {}

    /// How many were dropped so far; asked on the log's thread.
    void watch(std::function<std::uint64_t()> dropped) { dropped_ = std::move(dropped); }

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        report_dropped();
        write_({message.payload.data(), message.payload.size()});
    }

    void flush_() override {}

private:
    void report_dropped() {
        const std::uint64_t dropped = dropped_();
        if (dropped == reported_) return;
        const base::SystemClock clock;
        if (clock.monotonic() - reported_at_ < report_every) return;
        const Field lines[] = {{"lines", dropped - reported_}};
        write_(made(
            format_,
            {.at = clock.wall(),
             .level = Level::warn,
             .message = "log lines were dropped: too many waited",
             .thread = "fc-log",
             .fields = lines}
        ));
        reported_ = dropped;
        reported_at_ = clock.monotonic();
    }

    std::function<void(std::string_view)> write_;
    Format format_;
    std::function<std::uint64_t()> dropped_;
    std::uint64_t reported_ = 0;
    base::MonotonicTime reported_at_{};
};

struct Backend {
    Format format;
    Patience patience;
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

bool names(Fields fields, std::string_view key) {
    return std::ranges::any_of(fields, [key](const Field& field) { return field.key == key; });
}

/// With the ids of the request this thread works for, unless the line names its own.
std::string made_here(Format format, Record record, Fields fields) {
    const telemetry::CurrentTrace* current = telemetry::current_trace();
    if (current == nullptr) return made(format, record);
    const std::string trace_id = current->trace_id();
    const std::string span_id = current->span_id();
    std::vector<Field> all{fields.begin(), fields.end()};
    const Field ids[] = {
        {"trace_id", trace_id}, {"span_id", span_id}, {"request_id", current->request_id}};
    for (const Field& id : ids) {
        const bool empty = std::get<std::string_view>(id.value.variant()).empty();
        if (!empty && !names(fields, id.key)) all.push_back(id);
    }
    record.fields = all;
    return made(format, record);
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

std::optional<Level> level_from(std::string_view text) {
    for (const Level level :
         {Level::trace, Level::debug, Level::info, Level::warn, Level::error, Level::off}) {
        if (name(level) == text) return level;
    }
    return std::nullopt;
}

void start(Options options) {
    FC_ASSERT(options.queue_capacity > 0);
    auto backend = std::make_unique<Backend>();
    const bool is_terminal = !options.write && ::isatty(options.descriptor) == 1;
    backend->format = options.format != Format::automatic ? options.format
                      : is_terminal                       ? Format::text
                                                          : Format::json;
    if (!options.write) {
        options.write = [descriptor = options.descriptor,
                         &patience = backend->patience](std::string_view line) {
            write_to(descriptor, line, patience);
        };
    }
    constexpr std::size_t threads = 1;
    backend->pool = std::make_shared<spdlog::details::thread_pool>(
        options.queue_capacity, threads, [] { pthread_setname_np(pthread_self(), "fc-log"); }
    );
    const auto sink = std::make_shared<LineSink>(std::move(options.write), backend->format);
    // The pool's thread is who asks, so the pool is there.
    sink->watch([pool = backend->pool.get()] { return pool->overrun_counter(); });
    backend->logger = std::make_shared<spdlog::async_logger>(
        "firstcome", sink, backend->pool, spdlog::async_overflow_policy::overrun_oldest
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
    backend->patience.end_soon();
    // Waits for the thread, which first writes what is queued; only then may the logger go.
    backend->pool.reset();
}

void set_level(Level level) {
    state().level.store(level, std::memory_order_relaxed);
}

Level level() {
    return state().level.load(std::memory_order_relaxed);
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
    if (backend == nullptr) {
        return write_to(STDERR_FILENO, made_here(Format::text, record, fields), Patience{});
    }
    const std::string line = made_here(backend->format, record, fields);
    backend->logger->log(spdlog::level::info, spdlog::string_view_t{line.data(), line.size()});
}

}  // namespace firstcome::log
