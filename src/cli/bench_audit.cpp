// src/cli/bench_audit.cpp - the checks after a run, each one line of the summary
#include "cli/bench_audit.hpp"

#include "cli/bench_answer.hpp"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <span>
#include <utility>

namespace firstcome::cli {

namespace {

constexpr std::size_t fetched_at_once = 64;

std::uint64_t read(const std::atomic<std::uint64_t>& counter) {
    return counter.load(std::memory_order_relaxed);
}

std::int64_t units(const AuditSubject& subject, std::uint64_t orders) {
    return static_cast<std::int64_t>(orders) * subject.options.quantity;
}

AuditLine conservation(const AuditSubject& subject) {
    const StockView& stock = subject.after;
    const std::int64_t total = stock.initial + stock.restocked;
    return {
        .ok = total == stock.remaining + stock.committed() && stock.remaining >= 0,
        .text = fmt::format(
            "stock adds up: {} units = {} remaining + {} sold + {} compensating",
            total,
            stock.remaining,
            stock.sold,
            stock.compensating
        ),
    };
}

AuditLine sold_is_accepted(const AuditSubject& subject) {
    const std::int64_t before = subject.before ? subject.before->committed() : 0;
    const std::int64_t sold = subject.after.committed() - before;
    const std::int64_t accepted = units(subject, read(subject.seen.live.accepted));
    const std::int64_t unknown = units(subject, read(subject.seen.live.unknown));
    return {
        .ok = sold >= accepted && sold <= accepted + unknown,
        .text = fmt::format(
            "sold is what was accepted: {} units sold, {} accepted, {} unknown",
            sold,
            accepted,
            unknown
        ),
    };
}

AuditLine line_of_sequences(const AuditSubject& subject) {
    const SequenceSet& line = subject.seen.sequences;
    const std::uint64_t unknown = read(subject.seen.live.unknown);
    const bool fresh = !subject.before || subject.before->committed() == 0;
    const std::uint64_t before_first = fresh && line.count() > 0 ? line.lowest() - 1 : 0;
    return {
        .ok = line.gaps() + before_first <= unknown &&
              line.count() == read(subject.seen.live.accepted),
        .text = fmt::format(
            "sequences {}..{}: {} orders, {} missing, each once",
            line.lowest(),
            line.highest(),
            line.count(),
            line.gaps() + before_first
        ),
    };
}

// An order sent after somebody had read "sold out" may not win: then that somebody came first.
AuditLine first_come_first_served(const AuditSubject& subject) {
    const Witness& seen = subject.seen;
    return {
        .ok = seen.last_accepted_sent <= seen.first_sold_out,
        .text = "nobody won who asked after the first \"sold out\" was read",
    };
}

// Whoever was told "sold out" must not be able to see units left.
AuditLine nothing_left_over(const AuditSubject& subject) {
    return {
        .ok = subject.after.remaining < subject.options.quantity,
        .text = fmt::format("sold out means sold: {} units left", subject.after.remaining),
    };
}

AuditLine broken_promises(const AuditSubject& subject) {
    const Findings& broken = subject.seen.broken;
    AuditLine line{.ok = broken.count == 0, .text = "every answer was a possible one"};
    if (line.ok) return line;
    line.text = fmt::format("{} answers that must not be:", broken.count);
    for (const std::string& sentence : broken.first) line.text += "\n           " + sentence;
    return line;
}

AuditLine replays(const AuditSubject& subject) {
    return {
        .text = fmt::format(
            "replays: {} marked, {} compared byte for byte with the first answer",
            subject.seen.replays,
            subject.seen.replays_compared
        ),
    };
}

bool agrees(const AuditSubject& subject, const AcceptedOrder& order, const Reply& reply) {
    if (reply.status != 200) return false;
    const std::string_view body = reply.body;
    const std::string_view at = json_member(body, "acceptedAt");
    const auto user = static_cast<std::int64_t>(subject.naming.user(order.serial));
    return json_member(body, "orderId") == std::string_view{order.id.data(), order.id.size()} &&
           json_integer(body, "userId") == user &&
           json_member(body, "itemId") == subject.options.item &&
           json_integer(body, "quantity") == subject.options.quantity &&
           json_integer(body, "sequence") == static_cast<std::int64_t>(order.sequence) &&
           XXH3_64bits(at.data(), at.size()) == order.accepted_at_hash;
}

}  // namespace

StockView stock_from(std::string_view body) {
    return {
        .initial = json_integer(body, "initial").value_or(0),
        .restocked = json_integer(body, "restocked").value_or(0),
        .remaining = json_integer(body, "remaining").value_or(0),
        .sold = json_integer(body, "sold").value_or(0),
        .compensating = json_integer(body, "compensating").value_or(0),
    };
}

std::expected<std::optional<StockView>, std::string> read_stock(
    BenchClient& client, std::string_view item
) {
    const auto reply = client.get(fmt::format("/api/v1/orders/stock/{}", item));
    if (!reply) return std::unexpected(reply.error());
    if (reply->status == 404) return std::optional<StockView>{};
    if (reply->status == 200) return stock_from(reply->body);
    return std::unexpected(
        fmt::format("the stock of {} was answered {}: {}", item, reply->status, reply->body)
    );
}

std::vector<AuditLine> audit_figures(const AuditSubject& subject) {
    std::vector<AuditLine> lines{
        conservation(subject),
        sold_is_accepted(subject),
        line_of_sequences(subject),
        broken_promises(subject),
    };
    const bool sold_out = subject.seen.first_sold_out != base::MonotonicTime::max();
    if (sold_out && subject.options.quantity == 1) {
        lines.push_back(first_come_first_served(subject));
        lines.push_back(nothing_left_over(subject));
    }
    if (subject.seen.replays > 0) lines.push_back(replays(subject));
    return lines;
}

AuditLine audit_orders(const AuditSubject& subject, BenchClient& client) {
    std::span<const AcceptedOrder> left = subject.seen.accepted_orders;
    const std::size_t all = left.size();
    std::size_t wrong = 0;
    std::string example;
    while (!left.empty()) {
        const auto part = left.first(std::min(left.size(), fetched_at_once));
        std::vector<std::string> paths;
        for (const AcceptedOrder& order : part) {
            paths.push_back(
                fmt::format("/api/v1/orders/{}", std::string_view{order.id.data(), order.id.size()})
            );
        }
        const auto replies = client.get_all(paths);
        if (!replies) {
            return {.ok = false, .text = "accepted orders could not be read: " + replies.error()};
        }
        for (std::size_t at = 0; at < part.size(); ++at) {
            const Reply& reply = (*replies)[at];
            if (agrees(subject, part[at], reply)) continue;
            if (wrong++ == 0) {
                example = fmt::format(
                    "\n           GET {}: {} {}", paths[at], reply.status, reply.body.substr(0, 300)
                );
            }
        }
        left = left.subspan(part.size());
    }
    return {
        .ok = wrong == 0,
        .text = fmt::format(
            "{} accepted orders fetched again, {} differ from their 202{}", all, wrong, example
        ),
    };
}

}  // namespace firstcome::cli
