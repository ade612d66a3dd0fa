// src/cli/bench_report.cpp - the summary as text and JSON, and the progress line
#include "cli/bench_report.hpp"

#include "base/json_string.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <string_view>

namespace firstcome::cli {

namespace {

using std::chrono::nanoseconds;

std::uint64_t read(const std::atomic<std::uint64_t>& counter) {
    return counter.load(std::memory_order_relaxed);
}

double seconds(nanoseconds time) {
    return std::chrono::duration<double>(time).count();
}

double microseconds(nanoseconds time) {
    return static_cast<double>(time.count()) / 1'000;
}

double per(double amount, double whole) {
    return whole > 0 ? amount / whole : 0;
}

/// 1234567 -> "1,234,567"
std::string grouped(std::uint64_t number) {
    std::string digits = fmt::to_string(number);
    for (std::size_t at = digits.size(); at > 3;) {
        at -= 3;
        digits.insert(digits.begin() + static_cast<std::ptrdiff_t>(at), ',');
    }
    return digits;
}

std::string grouped(double number) {
    return grouped(static_cast<std::uint64_t>(number + 0.5));
}

std::string readable(nanoseconds time) {
    const double us = microseconds(time);
    if (us < 1'000) return fmt::format("{:.0f} us", us);
    if (us < 1'000'000) return fmt::format("{:.2f} ms", us / 1'000);
    return fmt::format("{:.2f} s", us / 1'000'000);
}

std::string latency_line(const Histogram& latency) {
    return fmt::format(
        "p50 {}   p90 {}   p99 {}   p99.9 {}   max {}",
        readable(latency.percentile(0.5)),
        readable(latency.percentile(0.9)),
        readable(latency.percentile(0.99)),
        readable(latency.percentile(0.999)),
        readable(latency.max())
    );
}

std::vector<Witness::AnswerCount> by_count(const BenchResult& result) {
    std::vector<Witness::AnswerCount> counts = result.seen.answers;
    std::sort(counts.begin(), counts.end(), [](const auto& a, const auto& b) {
        return a.count > b.count;
    });
    return counts;
}

std::string how(const BenchOptions& options) {
    std::string text = options.rate > 0 ? fmt::format("open loop, {} orders/s", options.rate)
                                        : std::string{"closed loop"};
    fmt::format_to(std::back_inserter(text), ", {} connections", options.connections);
    if (options.threads > 1)
        fmt::format_to(std::back_inserter(text), ", {} threads", options.threads);
    if (options.pipeline > 1) {
        fmt::format_to(std::back_inserter(text), ", {} calls in flight each", options.pipeline);
    }
    if (options.batch > 1) {
        fmt::format_to(std::back_inserter(text), ", {} orders a call", options.batch);
    }
    return text;
}

void append_counts(std::string& text, const BenchResult& result) {
    const Witness& seen = result.seen;
    const double time = seconds(result.elapsed);
    const auto accepted = static_cast<double>(read(seen.live.accepted));
    const auto answers = static_cast<double>(read(seen.live.answers));
    auto out = std::back_inserter(text);
    fmt::format_to(
        out, "accepted  {:>12}   {:>9}/s\n", grouped(accepted), grouped(per(accepted, time))
    );
    fmt::format_to(
        out,
        "answers   {:>12}   {:>9}/s   in {:.2f} s\n",
        grouped(answers),
        grouped(per(answers, time)),
        time
    );
    for (const Witness::AnswerCount& answer : by_count(result)) {
        const std::string code = answer.status == 202 ? std::string{"accepted"} : answer.code;
        fmt::format_to(out, "  {} {:<28} {:>12}\n", answer.status, code, grouped(answer.count));
    }
    if (read(seen.live.unknown) > 0) {
        fmt::format_to(
            out, "unknown   {:>12}   sent, never answered\n", grouped(read(seen.live.unknown))
        );
    }
    if (seen.never_sent > 0) {
        fmt::format_to(
            out,
            "not sent  {:>12}   due, but every connection was busy: the rate is too high, or "
            "--connections too few\n",
            grouped(seen.never_sent)
        );
    }
    if (seen.retries > 0) fmt::format_to(out, "asked again {:>10}\n", grouped(seen.retries));
}

void append_latency_and_cpu(std::string& text, const BenchResult& result) {
    const Witness& seen = result.seen;
    auto out = std::back_inserter(text);
    if (seen.accepted_latency.count() > 0) {
        fmt::format_to(out, "latency   {}\n", latency_line(seen.accepted_latency));
    }
    if (seen.other_latency.count() > 0) {
        fmt::format_to(out, "refusals  {}\n", latency_line(seen.other_latency));
    }
    const double client = microseconds(result.client_cpu);
    const double busy = per(client, microseconds(result.elapsed) * result.options.threads);
    fmt::format_to(
        out,
        "CPU       client {:.2f} us per call, {:.0f} % of its threads' time",
        per(client, static_cast<double>(read(seen.live.calls))),
        busy * 100
    );
    if (result.server_cpu) {
        const double server = microseconds(*result.server_cpu);
        fmt::format_to(
            out,
            "; server {:.2f} us per accepted order, {:.2f} us per answer",
            per(server, static_cast<double>(read(seen.live.accepted))),
            per(server, static_cast<double>(read(seen.live.answers)))
        );
    }
    text += '\n';
}

void append_first_buyers(std::string& text, const BenchResult& result) {
    if (!result.options.drop) return;
    text += "first\n";
    for (const AcceptedOrder& order : result.seen.first_orders) {
        fmt::format_to(
            std::back_inserter(text),
            "  {:>4}  user {}  order {}\n",
            order.sequence,
            result.naming.user(order.serial),
            std::string_view{order.id.data(), order.id.size()}
        );
    }
}

void append_faults(std::string& text, const BenchResult& result) {
    const Findings& faults = result.seen.faults;
    if (faults.count == 0) return;
    auto out = std::back_inserter(text);
    fmt::format_to(out, "connection errors {}\n", faults.count);
    for (const std::string& sentence : faults.first) fmt::format_to(out, "  {}\n", sentence);
}

bool was_rate_limited(const BenchResult& result) {
    const auto& answers = result.seen.answers;
    return std::any_of(answers.begin(), answers.end(), [](const auto& answer) {
        return answer.status == 429;
    });
}

std::string latency_json(const Histogram& latency) {
    return fmt::format(
        R"({{"count":{},"p50":{:.1f},"p90":{:.1f},"p99":{:.1f},"p99.9":{:.1f},"max":{:.1f}}})",
        latency.count(),
        microseconds(latency.percentile(0.5)),
        microseconds(latency.percentile(0.9)),
        microseconds(latency.percentile(0.99)),
        microseconds(latency.percentile(0.999)),
        microseconds(latency.max())
    );
}

void append_run_json(std::string& text, const BenchResult& result) {
    const LiveCounts& live = result.seen.live;
    const double time = seconds(result.elapsed);
    fmt::format_to(
        std::back_inserter(text),
        R"("server":{},"item":{},"how":"{}","elapsedSeconds":{:.6f},)"
        R"("calls":{},"answers":{},"accepted":{},"unknown":{},"neverSent":{},"retries":{},)"
        R"("connectionErrors":{},"acceptedPerSecond":{:.1f},"answersPerSecond":{:.1f},)",
        base::json_string(result.options.server),
        base::json_string(result.options.item),
        how(result.options),
        time,
        read(live.calls),
        read(live.answers),
        read(live.accepted),
        read(live.unknown),
        result.seen.never_sent,
        result.seen.retries,
        read(live.connection_errors),
        per(static_cast<double>(read(live.accepted)), time),
        per(static_cast<double>(read(live.answers)), time)
    );
}

void append_answers_json(std::string& text, const BenchResult& result) {
    text += "\"byAnswer\":[";
    for (const Witness::AnswerCount& answer : by_count(result)) {
        fmt::format_to(
            std::back_inserter(text),
            R"({}{{"status":{},"code":{},"count":{}}})",
            text.back() == '[' ? "" : ",",
            answer.status,
            base::json_string(answer.code),
            answer.count
        );
    }
    text += "],";
}

void append_cpu_json(std::string& text, const BenchResult& result) {
    const LiveCounts& live = result.seen.live;
    const double client = microseconds(result.client_cpu);
    fmt::format_to(
        std::back_inserter(text),
        R"("clientCpuUs":{:.0f},"clientCpuUsPerCall":{:.3f},)",
        client,
        per(client, static_cast<double>(read(live.calls)))
    );
    if (!result.server_cpu) return;
    const double server = microseconds(*result.server_cpu);
    fmt::format_to(
        std::back_inserter(text),
        R"("serverCpuUs":{:.0f},"serverCpuUsPerOrder":{:.3f},"serverCpuUsPerAnswer":{:.3f},)",
        server,
        per(server, static_cast<double>(read(live.accepted))),
        per(server, static_cast<double>(read(live.answers)))
    );
}

void append_audit_json(std::string& text, const BenchResult& result) {
    text += "\"audit\":[";
    for (const AuditLine& line : result.audit) {
        fmt::format_to(
            std::back_inserter(text),
            R"({}{{"ok":{},"text":{}}})",
            text.back() == '[' ? "" : ",",
            line.ok,
            base::json_string(line.text)
        );
    }
    text += "],";
}

}  // namespace

bool BenchResult::all_well() const {
    const bool audited =
        std::all_of(audit.begin(), audit.end(), [](const AuditLine& line) { return line.ok; });
    if (options.ride_out) return audited && read(seen.live.unknown) == 0;
    return audited && read(seen.live.connection_errors) == 0;
}

std::string summary_text(const BenchResult& result) {
    std::string text = fmt::format(
        "firstcome bench: {}, item {}, {}{}\n",
        result.options.server,
        result.options.item,
        how(result.options),
        result.interrupted ? " - interrupted" : ""
    );
    append_counts(text, result);
    append_latency_and_cpu(text, result);
    append_first_buyers(text, result);
    append_faults(text, result);
    if (was_rate_limited(result)) {
        text +=
            "hint      the server limits rates: `--set rate_limit.enabled=false` takes that away\n";
    }
    for (const AuditLine& line : result.audit) {
        text += (line.ok ? "audit ok    " : "audit BROKEN  ") + line.text + '\n';
    }
    return text;
}

std::string summary_json(const BenchResult& result) {
    const Witness& seen = result.seen;
    std::string text = "{";
    append_run_json(text, result);
    append_answers_json(text, result);
    fmt::format_to(
        std::back_inserter(text),
        R"("latencyUs":{},"refusalLatencyUs":{},"replays":{},"replaysCompared":{},)",
        latency_json(seen.accepted_latency),
        latency_json(seen.other_latency),
        seen.replays,
        seen.replays_compared
    );
    append_cpu_json(text, result);
    append_audit_json(text, result);
    fmt::format_to(
        std::back_inserter(text),
        R"("interrupted":{},"ok":{}}})",
        result.interrupted,
        result.all_well()
    );
    return text;
}

std::string progress_line(
    std::span<const std::unique_ptr<Witness>> witnesses,
    nanoseconds elapsed,
    double answers_per_second,
    std::optional<std::int64_t> remaining
) {
    Histogram latency;
    std::uint64_t accepted = 0;
    std::uint64_t errors = 0;
    for (const auto& witness : witnesses) {
        latency.merge(witness->accepted_latency);
        latency.merge(witness->other_latency);
        accepted += read(witness->live.accepted);
        errors += read(witness->live.connection_errors);
    }
    std::string line = fmt::format(
        "{:5.1f} s  {:>9}/s  accepted {:>12}  p50 {}  p99 {}",
        seconds(elapsed),
        grouped(answers_per_second),
        grouped(accepted),
        readable(latency.percentile(0.5)),
        readable(latency.percentile(0.99))
    );
    if (remaining) fmt::format_to(std::back_inserter(line), "  left {}", *remaining);
    if (errors > 0) fmt::format_to(std::back_inserter(line), "  connection errors {}", errors);
    return line;
}

}  // namespace firstcome::cli
