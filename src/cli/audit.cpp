// src/cli/audit.cpp - the verb `firstcome audit`: checks a data directory against the invariants
#include "cli/audit.hpp"

#include "adapters/sqlite/audit.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <string>
#include <unistd.h>

namespace firstcome::cli {

namespace {

constexpr int all_holds = 0;
constexpr int broken = 1;
constexpr int could_not_look = 2;

struct AuditFlags {
    std::string data_dir = "data";
    bool json = false;
};

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    return out + '"';
}

void print_json(const sqlite::AuditReport& report) {
    fmt::print("{{\"ok\":{},\"orders\":{},\"items\":[", report.findings.empty(), report.orders);
    const char* comma = "";
    for (const sqlite::AuditedItem& item : report.items) {
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
        fmt::print("{}{}", comma, quoted(finding));
        comma = ",";
    }
    fmt::print("],\"findingsLeftOut\":{}}}\n", report.findings_left_out);
}

void print_text(const sqlite::AuditReport& report) {
    fmt::print(
        "{:<40} {:>12} {:>12} {:>12} {:>10}\n", "item", "total", "sold", "orders", "released"
    );
    for (const sqlite::AuditedItem& item : report.items) {
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
        fmt::print(
            "Keep the directory as it is, and restore the newest backup into another one;"
            " docs/operating.md says how.\n"
        );
    }
}

int run_audit(const AuditFlags& flags) {
    const bool on_terminal = ::isatty(STDERR_FILENO) != 0;
    const auto report = sqlite::audit(flags.data_dir, [&](std::uint64_t orders) {
        if (on_terminal) fmt::print(stderr, "{} orders read\n", orders);
    });
    if (!report) {
        fmt::print(stderr, "firstcome audit: {}\n", report.error());
        return could_not_look;
    }
    flags.json ? print_json(*report) : print_text(*report);
    return report->findings.empty() ? all_holds : broken;
}

}  // namespace

void add_audit(CLI::App& app, int& exit_code) {
    auto flags = std::make_shared<AuditFlags>();
    CLI::App* verb = app.add_subcommand("audit", "Check a data directory against the invariants");
    verb->add_option("--data", flags->data_dir, "The data directory")->capture_default_str();
    verb->add_flag("--json", flags->json, "Print one JSON object");
    verb->callback([flags, &exit_code] { exit_code = run_audit(*flags); });
}

}  // namespace firstcome::cli
