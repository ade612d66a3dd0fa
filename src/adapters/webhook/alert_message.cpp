// src/adapters/webhook/alert_message.cpp - alerts as the JSON each kind of receiver reads
#include "adapters/webhook/alert_message.hpp"

#include "adapters/webhook/words.hpp"
#include "base/json_string.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>

namespace firstcome::webhook {

namespace {

using ports::Alert;

constexpr std::string_view runbook = "docs/operating.md#";
constexpr std::string_view still_firing = "0001-01-01T00:00:00Z";  // Go's zero time
constexpr std::size_t slack_lines_max = 20;

std::string timestamp(base::WallTime time) {
    return fmt::format(
        "{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
        fmt::gmtime(std::chrono::system_clock::to_time_t(time)),
        time.time_since_epoch().count() % 1000
    );
}

std::string in_quotes(std::string_view text) {
    return base::json_string(in_plain_words(text));
}

std::string labels(const Alert& alert) {
    std::string out = fmt::format(
        R"({{"alertname":"{}","severity":"{}")", name(alert.kind), severity(alert.kind)
    );
    const std::string_view about = subject_label(alert.kind);
    if (!about.empty()) out += fmt::format(R"(,"{}":{})", about, in_quotes(alert.subject));
    if (!alert.instance.empty()) out += R"(,"instance":)" + in_quotes(alert.instance);
    return out + '}';
}

std::string annotations(const Alert& alert) {
    std::string anchor{name(alert.kind)};
    std::ranges::transform(anchor, anchor.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    return fmt::format(
        R"({{"summary":{},"runbook_url":"{}{}"}})", in_quotes(alert.summary), runbook, anchor
    );
}

std::string generator(std::string_view node_url) {
    return in_quotes(std::string{node_url} + "/api/v1/admin/alerts");
}

std::string_view status(const Alert& alert) {
    return alert.ends_at ? "resolved" : "firing";
}

std::string_view status(std::span<const Alert> alerts) {
    const bool all_over =
        std::ranges::all_of(alerts, [](const Alert& alert) { return alert.ends_at.has_value(); });
    return all_over ? "resolved" : "firing";
}

// &, < and > would be taken for markup.
std::string for_slack(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            default: out += c;
        }
    }
    return out;
}

}  // namespace

std::string alertmanager_body(
    std::span<const Alert> alerts,
    std::string_view node_url,
    base::WallTime now,
    std::chrono::milliseconds valid_for
) {
    std::string out = "[";
    for (const Alert& alert : alerts) {
        fmt::format_to(
            std::back_inserter(out),
            R"({}{{"labels":{},"annotations":{},"startsAt":"{}","endsAt":"{}","generatorURL":{}}})",
            out.size() > 1 ? "," : "",
            labels(alert),
            annotations(alert),
            timestamp(alert.starts_at),
            timestamp(alert.ends_at.value_or(now + valid_for)),
            generator(node_url)
        );
    }
    return out + ']';
}

std::string generic_body(std::span<const Alert> alerts, std::string_view node_url) {
    std::string list;
    for (const Alert& alert : alerts) {
        fmt::format_to(
            std::back_inserter(list),
            R"({}{{"status":"{}","labels":{},"annotations":{},"startsAt":"{}","endsAt":"{}",)"
            R"("generatorURL":{}}})",
            list.empty() ? "" : ",",
            status(alert),
            labels(alert),
            annotations(alert),
            timestamp(alert.starts_at),
            alert.ends_at ? timestamp(*alert.ends_at) : std::string{still_firing},
            generator(node_url)
        );
    }
    return fmt::format(
        R"({{"version":"4","groupKey":"firstcome","truncatedAlerts":0,"status":"{}",)"
        R"("receiver":"firstcome","groupLabels":{{}},"commonLabels":{{}},)"
        R"("commonAnnotations":{{}},"externalURL":{},"alerts":[{}]}})",
        status(alerts),
        in_quotes(node_url),
        list
    );
}

std::string slack_body(std::span<const Alert> alerts) {
    std::string text;
    for (const Alert& alert : alerts.first(std::min(alerts.size(), slack_lines_max))) {
        std::string line = fmt::format(
            "[{}] {}: {}",
            alert.ends_at ? "RESOLVED" : "FIRING",
            name(alert.kind),
            in_plain_words(alert.summary)
        );
        if (!alert.instance.empty()) line += " (" + in_plain_words(alert.instance) + ")";
        if (!text.empty()) text += "\\n";
        const std::string quoted = in_quotes(for_slack(line));
        text += std::string_view{quoted}.substr(1, quoted.size() - 2);
    }
    if (alerts.size() > slack_lines_max) {
        text += fmt::format("\\nand {} more", alerts.size() - slack_lines_max);
    }
    return fmt::format(R"({{"text":"{}"}})", text);
}

}  // namespace firstcome::webhook
