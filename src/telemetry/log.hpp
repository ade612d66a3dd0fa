// src/telemetry/log.hpp - one line a happening: JSON for machines, text for a terminal
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

/// Called `log` and not after its folder, because every layer says it: log::info("recovered").
namespace firstcome::log {

enum class Level : std::uint8_t { trace, debug, info, warn, error, off };
[[nodiscard]] std::string_view name(Level level);
[[nodiscard]] std::optional<Level> level_from(std::string_view text);

enum class Format : std::uint8_t { automatic, json, text };  // automatic: text on a terminal

/// A number, a truth or a text; texts are copied before the call returns.
class Value {
public:
    Value(bool value) : value_(value) {}

    template <std::signed_integral T>
    Value(T value) : value_(static_cast<std::int64_t>(value)) {}

    template <std::unsigned_integral T>

    requires(!std::same_as<T, bool>) Value(T value) : value_(static_cast<std::uint64_t>(value)) {}

    Value(double value) : value_(value) {}

    Value(std::string_view value) : value_(value) {}

    Value(const std::string& value) : value_(std::string_view{value}) {}

    Value(const char* value) : value_(std::string_view{value}) {}

    using Variant = std::variant<bool, std::int64_t, std::uint64_t, double, std::string_view>;

    [[nodiscard]] const Variant& variant() const { return value_; }

private:
    Variant value_;
};

/// `trace_id`, `span_id` and `request_id` come by themselves on a thread that works for a request:
/// see telemetry::TraceScope.
struct Field {
    std::string_view key;  ///< snake_case, ours, never a stranger's text
    Value value;
};

using Fields = std::initializer_list<Field>;

struct Options {
    Level level = Level::info;
    Format format = Format::automatic;
    int descriptor = 2;                 ///< where lines go
    std::size_t queue_capacity = 8192;  ///< lines that may wait; beyond it the oldest is dropped,
                                        ///< which a line of its own tells once a second
    /// Set: takes the lines instead of the descriptor, one call a line, on the log's thread.
    std::function<void(std::string_view)> write{};
};

/// Starts the thread that writes. Before, and after stop(), lines are written as text to standard
/// error by the caller itself.
///
/// Thread   main, once between two stops
void start(Options options);
/// Writes what waits and ends the thread; what nobody reads within a second is given up.
void stop();

/// Thread   any, at any time
void set_level(Level level);
[[nodiscard]] Level level();
[[nodiscard]] bool enabled(Level level);
/// Lines lost because too many waited.
[[nodiscard]] std::uint64_t dropped();

/// Never blocks on the output.
///
/// Thread   any
void write(Level level, std::string_view message, Fields fields = {});

inline void debug(std::string_view message, Fields fields = {}) {
    write(Level::debug, message, fields);
}

inline void info(std::string_view message, Fields fields = {}) {
    write(Level::info, message, fields);
}

inline void warn(std::string_view message, Fields fields = {}) {
    write(Level::warn, message, fields);
}

inline void error(std::string_view message, Fields fields = {}) {
    write(Level::error, message, fields);
}

}  // namespace firstcome::log
