// src/ports/spans.hpp - the port finished spans are handed to, on their way to a collector
#pragma once

#include "base/time.hpp"
#include "domain/order.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace firstcome::ports {

/// Wall clock, nanoseconds since 1970 (UTC).
using SpanTime = std::chrono::sys_time<std::chrono::nanoseconds>;

enum class SpanKind : std::uint8_t { internal, server, client, producer, consumer };

struct SpanAttribute {
    std::string_view key;  ///< static text: an OpenTelemetry name
    std::variant<std::int64_t, std::string> value;
};

/// One finished piece of work. Texts are UTF-8; a stranger's text comes through `plain_text`.
///
/// Source   OpenTelemetry, "Trace semantic conventions"
struct Span {
    domain::TraceContext context;  ///< `span`: its own id, never 0
    std::uint64_t parent = 0;      ///< 0: the trace begins with it
    std::string name;
    SpanKind kind = SpanKind::internal;
    SpanTime start{};
    SpanTime end{};
    std::vector<SpanAttribute> attributes;
    bool failed = false;
    std::string error;  ///< of a failed one, for people; may be empty
    std::string trace_state;
};

/// What is left of a stranger's text: printable ASCII, `?` for anything else, `size_max` at most.
[[nodiscard]] std::string plain_text(std::string_view text, std::size_t size_max = 256);

/// Where spans go. Whoever makes one hands it over and forgets it; one too many is dropped and
/// counted.
///
/// Thread   any
class SpanRecorder {
public:
    SpanRecorder() = default;
    SpanRecorder(const SpanRecorder&) = delete;
    SpanRecorder& operator=(const SpanRecorder&) = delete;
    virtual ~SpanRecorder() = default;

    /// Never waits for a collector.
    virtual void record(Span&& span) = 0;

    /// A span was not even made, because too many were.
    virtual void drop() = 0;

    /// An id no other span has; never 0.
    [[nodiscard]] virtual std::uint64_t new_id() = 0;

    /// What the wall clock said then.
    [[nodiscard]] virtual SpanTime at(base::MonotonicTime time) const = 0;
};

/// The id of the `number`th span that belongs to another: known on both sides of a queue without
/// being carried along. Never 0.
[[nodiscard]] std::uint64_t derived_span_id(std::uint64_t span, std::uint64_t number);

}  // namespace firstcome::ports
