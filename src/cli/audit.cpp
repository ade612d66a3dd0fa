// src/cli/audit.cpp - the verb `firstcome audit`: checks what is stored against the invariants
#include "cli/audit.hpp"

#include "adapters/sqlite/audit.hpp"
#include "base/json_string.hpp"
#include "cli/cli.hpp"
#include "telemetry/log.hpp"
#include "wiring/audit.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <unistd.h>

namespace firstcome::cli {

namespace {

constexpr int all_holds = 0;
constexpr int broken = 1;
constexpr int could_not_look = 2;

struct AuditFlags {
    ConfigFlags config;
    bool json = false;
};

void print_json(const ports::AuditReport& report) {
    fmt::print("{{\"ok\":{},\"orders\":{},\"items\":[", report.findings.empty(), report.orders);
    const char* comma = "";
    for (const ports::AuditedItem& item : report.items) {
        fmt::print(
            R"({}{{"itemId":"{}","total":{},"sold":{},"orders":{},"released":{}}})",
            comma,
            item.item.text(),
            item.total,
            item.sold,
            item.orders,
            item.released
        );
        comma = ",";
    }
    fmt::print("],\"findings\":[");
    comma = "";
    for (const std::string& finding : report.findings) {
        fmt::print("{}{}", comma, base::json_string(finding));
        comma = ",";
    }
    fmt::print("],\"findingsLeftOut\":{}}}\n", report.findings_left_out);
}

void print_text(const ports::AuditReport& report, std::string_view advice) {
    fmt::print(
        "{:<40} {:>12} {:>12} {:>12} {:>10}\n", "item", "total", "sold", "orders", "released"
    );
    for (const ports::AuditedItem& item : report.items) {
        fmt::print(
            "{:<40} {:>12} {:>12} {:>12} {:>10}\n",
            item.item.text(),
            item.total,
            item.sold,
            item.orders,
            item.released
        );
    }
    for (const std::string& finding : report.findings) fmt::print("BROKEN  {}\n", finding);
    if (report.findings_left_out > 0) {
        fmt::print("BROKEN  and {} more findings\n", report.findings_left_out);
    }
    if (report.findings.empty()) {
        fmt::print("{} orders: every invariant holds\n", report.orders);
    } else {
        fmt::print("{}\n", advice);
    }
}

constexpr std::string_view advice_embedded =
    "Keep the directory as it is, and restore the newest backup into another one;"
    " docs/operating.md says how.";
constexpr std::string_view advice_distributed =
    "Keep what there is (a dump of PostgreSQL, a copy of Redis's files) before anything is mended;"
    " docs/operating.md says how.";

std::expected<ports::AuditReport, std::string> look(const config::Config& config) {
    if (config.mode == config::Mode::distributed) return wiring::audit_stores(config);
    const bool on_terminal = ::isatty(STDERR_FILENO) != 0;
    return sqlite::audit(config.data.dir, [&](std::uint64_t orders) {
        if (on_terminal) fmt::print(stderr, "{} orders read\n", orders);
    });
}

int run_audit(const AuditFlags& flags) {
    const auto loaded = load_config(flags.config);
    if (!loaded) return could_not_look;
    // What the stores' connections would log is told by the one sentence below.
    log::set_level(log::Level::off);
    const auto report = look(loaded->config);
    if (!report) {
        fmt::print(stderr, "firstcome audit: {}\n", report.error());
        return could_not_look;
    }
    const bool distributed = loaded->config.mode == config::Mode::distributed;
    if (flags.json) {
        print_json(*report);
    } else {
        print_text(*report, distributed ? advice_distributed : advice_embedded);
    }
    return report->findings.empty() ? all_holds : broken;
}

}  // namespace

void add_audit(CLI::App& app, int& exit_code) {
    auto flags = std::make_shared<AuditFlags>();
    CLI::App* verb = app.add_subcommand("audit", "Check what is stored against the invariants");
    add_config_flags(*verb, flags->config);
    verb->add_flag("--json", flags->json, "Print one JSON object");
    verb->callback([flags, &exit_code] { exit_code = run_audit(*flags); });
}

}  // namespace firstcome::cli
