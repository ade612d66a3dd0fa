// src/adapters/tracing/exporter.hpp - collects spans and sends them in batches, on a thread of its
// own
#pragma once

#include "adapters/tracing/collector.hpp"
#include "adapters/tracing/encoding.hpp"
#include "base/doorbell.hpp"
#include "base/entropy.hpp"
#include "base/time.hpp"
#include "ports/spans.hpp"
#include "resilience/backoff.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace firstcome::tracing {

/// Each span is counted once, when its fate is known.
struct ExportCounts {
    std::uint64_t exported = 0;
    std::uint64_t dropped = 0;  ///< too many waited
    std::uint64_t failed = 0;   ///< not taken, and tries or time ran out
};

/// Whoever records a span pays for one short lock; everything else happens on `fc-trace`. While the
/// collector does not take them, spans wait up to the bound and are dropped beyond it.
///
/// Tries again: no whole answer, 429, 502, 503, 504; after a rest that doubles, or as long as
/// `Retry-After` says. Any other answer is a no to the batch.
///
/// Thread   record, drop, new_id, at, counts: any; start, drain: main
/// Source   OTLP, "OTLP/HTTP Response"; OpenTelemetry SDK, "Batching processor"
class Exporter final : public ports::SpanRecorder {
public:
    enum class Format : std::uint8_t { otlp, zipkin };

    struct Options {
        Format format = Format::otlp;
        Resource resource;
        std::size_t waiting_max = 8192;        ///< spans; about 1 KiB each
        std::size_t batch_max = 512;           ///< spans a request
        std::chrono::milliseconds delay{500};  ///< a span waits so long for company
        unsigned attempts_max = 5;             ///< of a batch
        resilience::BackoffOptions rest{
            .first = std::chrono::seconds{1}, .cap = std::chrono::seconds{5}};
        std::chrono::seconds retry_after_max{30};
    };

    /// `clock`, `entropy` outlive it; `entropy` is its own.
    Exporter(
        Options options,
        std::unique_ptr<Collector> collector,
        const base::Clock& clock,
        base::Entropy& entropy
    );
    ~Exporter() override;

    void start();

    /// Sends what waits until the deadline, then ends the thread; what is left counts as failed.
    void drain(base::MonotonicTime deadline);

    void record(ports::Span&& span) override;

    void drop() override { dropped_.fetch_add(1, std::memory_order_relaxed); }

    [[nodiscard]] std::uint64_t new_id() override;

    [[nodiscard]] ports::SpanTime at(base::MonotonicTime time) const override {
        return ports::SpanTime{
            time.time_since_epoch() +
            std::chrono::nanoseconds{wall_offset_ns_.load(std::memory_order_relaxed)}};
    }

    [[nodiscard]] ExportCounts counts() const;

private:
    enum class Sent : std::uint8_t { taken, refused, again };

    void run();
    void follow_wall_clock();
    [[nodiscard]] std::vector<ports::Span> take_waiting();
    void send(std::span<const ports::Span> batch);
    [[nodiscard]] Sent try_to_send(
        std::string_view body, std::size_t size, std::chrono::milliseconds& rest
    );
    void note(bool fails, std::string_view why);

    const Options options_;
    std::unique_ptr<Collector> collector_;
    const base::Clock& clock_;  // outlives
    base::Entropy& entropy_;    // outlives

    std::mutex mutex_;
    std::vector<ports::Span> waiting_;
    base::Doorbell batch_bell_;  // a batch is full, or it is time to stop
    base::Doorbell rest_bell_;   // it is time to stop
    std::atomic<bool> stopping_{false};
    std::thread thread_;
    bool failing_ = false;  // said once, not per batch

    const std::uint64_t id_seed_;
    std::atomic<std::uint64_t> ids_made_{0};
    std::atomic<std::int64_t> wall_offset_ns_{0};
    std::atomic<std::uint64_t> exported_{0};
    std::atomic<std::uint64_t> dropped_{0};
    std::atomic<std::uint64_t> failed_{0};
};

}  // namespace firstcome::tracing
