// src/telemetry/alert_families.cpp - the built-in alerts as metrics: what fires, and who was told
#include "telemetry/alert_families.hpp"

namespace firstcome::telemetry {

void add_alert_families(Families& out, const AlertStats& alerts) {
    if (alerts.firing.empty()) return;
    begin_gauge(out, "firstcome_alerts_firing", "Alerts of the built-in rules that fire now.");
    for (std::size_t at = 0; at < alerts.firing.size(); ++at) {
        const std::string alert{name(ports::alert_kinds[at])};
        add_value(out, static_cast<double>(alerts.firing[at]), {{"alert", alert}});
    }
    begin_counter(
        out,
        "firstcome_alerts_suppressed_total",
        "Looks at which an alert did not begin because 2,000 fired already."
    );
    add_value(out, static_cast<double>(alerts.suppressed));
    begin_counter(
        out,
        "firstcome_alert_notifications_total",
        "Alerts by receiver and what became of them; failed counts calls, which are made again."
    );
    for (const auto& [receiver, counts] : alerts.outlets) {
        const std::pair<const char*, std::uint64_t> results[] = {
            {"told", counts.told},
            {"failed", counts.failed},
            {"refused", counts.refused},
            {"dropped", counts.dropped},
        };
        for (const auto& [result, count] : results) {
            add_value(
                out, static_cast<double>(count), {{"receiver", receiver}, {"result", result}}
            );
        }
    }
    begin_gauge(
        out, "firstcome_alert_notifications_waiting", "Alerts a receiver has yet to be told of."
    );
    for (const auto& [receiver, counts] : alerts.outlets) {
        add_value(out, static_cast<double>(counts.waiting), {{"receiver", receiver}});
    }
}

}  // namespace firstcome::telemetry
