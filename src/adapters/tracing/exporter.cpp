// src/adapters/tracing/exporter.cpp - collects spans and sends them in batches, on a thread of its
// own
#include "adapters/tracing/exporter.hpp"

#include "telemetry/log.hpp"

#include <algorithm>
#include <cstdlib>
#include <pthread.h>
#include <utility>

namespace firstcome::tracing {

namespace {

using std::chrono::milliseconds;

// The wall clock is read to the millisecond: less than this is no step but its grain.
constexpr std::chrono::milliseconds step_min{5};

bool may_pass(long status) {
    return status == 429 || status == 502 || status == 503 || status == 504;
}

}  // namespace

Exporter::Exporter(
    Options options,
    std::unique_ptr<Collector> collector,
    const base::Clock& clock,
    base::Entropy& entropy
)
    : options_(std::move(options)),
      collector_(std::move(collector)),
      clock_(clock),
      entropy_(entropy),
      id_seed_(entropy.next()) {
    waiting_.reserve(options_.batch_max);
    follow_wall_clock();
}

Exporter::~Exporter() {
    drain(base::MonotonicTime::min());
}

void Exporter::start() {
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), "fc-trace");
}

void Exporter::record(ports::Span&& span) {
    bool full_batch = false;
    {
        const std::lock_guard lock{mutex_};
        if (waiting_.size() >= options_.waiting_max) {
            drop();
            return;
        }
        waiting_.push_back(std::move(span));
        full_batch = waiting_.size() == options_.batch_max;
    }
    if (full_batch) batch_bell_.ring();
}

std::uint64_t Exporter::new_id() {
    return ports::derived_span_id(id_seed_, ids_made_.fetch_add(1, std::memory_order_relaxed));
}

ExportCounts Exporter::counts() const {
    return {
        .exported = exported_.load(std::memory_order_relaxed),
        .dropped = dropped_.load(std::memory_order_relaxed),
        .failed = failed_.load(std::memory_order_relaxed),
    };
}

// Spans are timed by the monotonic clock, so that none ends before it began.
void Exporter::follow_wall_clock() {
    const std::chrono::nanoseconds wall = clock_.wall().time_since_epoch();
    const std::int64_t offset = (wall - clock_.monotonic().time_since_epoch()).count();
    const std::int64_t before = wall_offset_ns_.load(std::memory_order_relaxed);
    if (std::abs(offset - before) < std::chrono::nanoseconds{step_min}.count()) return;
    wall_offset_ns_.store(offset, std::memory_order_relaxed);
}

std::vector<ports::Span> Exporter::take_waiting() {
    std::vector<ports::Span> taken;
    taken.reserve(options_.batch_max);
    const std::lock_guard lock{mutex_};
    std::swap(taken, waiting_);
    return taken;
}

void Exporter::run() {
    while (true) {
        batch_bell_.rest(options_.delay);
        const bool last = stopping_.load();
        follow_wall_clock();
        const std::vector<ports::Span> spans = take_waiting();
        for (std::size_t at = 0; at < spans.size(); at += options_.batch_max) {
            const std::size_t size = std::min(options_.batch_max, spans.size() - at);
            send(std::span(spans).subspan(at, size));
        }
        if (last) return;
    }
}

void Exporter::send(std::span<const ports::Span> batch) {
    const std::string body = options_.format == Format::otlp
                                 ? encode_otlp(options_.resource, batch)
                                 : encode_zipkin(options_.resource, batch);
    for (unsigned attempt = 1;; ++attempt) {
        milliseconds rest = resilience::draw_rest(options_.rest, attempt, entropy_);
        const Sent sent = try_to_send(body, batch.size(), rest);
        if (sent == Sent::taken) return;
        // When the process ends, a collector that does not answer gets no second chance.
        if (sent == Sent::refused || attempt == options_.attempts_max || stopping_.load()) break;
        rest_bell_.rest(rest);
    }
    failed_.fetch_add(batch.size(), std::memory_order_relaxed);
}

// `rest`: how long until the next try; longer when the collector asks for it.
Exporter::Sent Exporter::try_to_send(std::string_view body, std::size_t size, milliseconds& rest) {
    const auto reply = collector_->post(body);
    if (!reply) {
        note(true, reply.error());
        return Sent::again;
    }
    if (reply->status >= 200 && reply->status < 300) {
        std::uint64_t rejected = 0;
        if (options_.format == Format::otlp) {
            rejected = std::min<std::uint64_t>(rejected_by_otlp(reply->body), size);
        }
        exported_.fetch_add(size - rejected, std::memory_order_relaxed);
        failed_.fetch_add(rejected, std::memory_order_relaxed);
        note(rejected > 0, "it rejected some spans of a batch");
        return Sent::taken;
    }
    note(true, "HTTP " + std::to_string(reply->status));
    if (!may_pass(reply->status)) return Sent::refused;
    rest = std::max<milliseconds>(rest, std::min(reply->retry_after, options_.retry_after_max));
    return Sent::again;
}

void Exporter::note(bool fails, std::string_view why) {
    if (fails == std::exchange(failing_, fails)) return;
    if (fails) {
        log::warn("the collector does not take all spans; orders go on", {{"error", why}});
    } else {
        log::info("the collector takes spans again");
    }
}

void Exporter::drain(base::MonotonicTime deadline) {
    if (!thread_.joinable()) return;
    collector_->give_up_at(deadline);
    stopping_.store(true);
    rest_bell_.ring();
    batch_bell_.ring();
    thread_.join();
    // Recorded after the last look; nobody sends them any more.
    failed_.fetch_add(take_waiting().size(), std::memory_order_relaxed);
}

}  // namespace firstcome::tracing
