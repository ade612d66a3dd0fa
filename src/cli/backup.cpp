// src/cli/backup.cpp - firstcome backup: a verified copy of a data directory, also of one in use
#include "adapters/sqlite/backup.hpp"

#include "cli/cli.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <string>
#include <unistd.h>

namespace firstcome::cli {

namespace {

constexpr std::uint64_t page_bytes = 4096;
constexpr std::uint64_t mib = 1024 * 1024;

struct BackupFlags {
    std::string data_dir = "data";
    std::string to;
    bool json = false;
};

/// A line for each tenth of a large file, to whoever watches.
class ProgressLines {
public:
    void tell(const sqlite::BackupStep& step) {
        const auto bytes = static_cast<std::uint64_t>(step.pages) * page_bytes;
        if (bytes < 64 * mib || ::isatty(STDERR_FILENO) == 0) return;
        const auto tenth = static_cast<int>(step.pages_done * 10LL / step.pages);
        if (step.file == file_ && tenth == tenth_) return;
        file_ = step.file;
        tenth_ = tenth;
        fmt::print(stderr, "{}: {} % of {} MiB\n", step.file, tenth * 10, bytes / mib);
        if (tenth == 10) fmt::print(stderr, "then every row is read back\n");
    }

private:
    std::string file_;
    int tenth_ = 0;
};

int run_backup(const BackupFlags& flags) {
    ProgressLines lines;
    const auto done =
        sqlite::backup(flags.data_dir, flags.to, [&](const auto& step) { lines.tell(step); });
    if (!done) {
        fmt::print(stderr, "firstcome backup: {}\n", done.error());
        return ExitCode::failed;
    }
    if (flags.json) {
        fmt::print(
            R"({{"ok":true,"orders":{},"items":{},"files":{},"bytes":{}}})"
            "\n",
            done->audit.orders,
            done->audit.items.size(),
            done->files,
            done->bytes
        );
        return ExitCode::ok;
    }
    fmt::print(
        "{} orders of {} items in {} files ({} MiB): written to {}, read back, every invariant "
        "holds\n",
        done->audit.orders,
        done->audit.items.size(),
        done->files,
        (done->bytes + mib - 1) / mib,
        flags.to
    );
    return ExitCode::ok;
}

}  // namespace

void add_backup(CLI::App& app, int& exit_code) {
    auto flags = std::make_shared<BackupFlags>();
    CLI::App* verb = app.add_subcommand(
        "backup", "Copy a data directory, also beside a running server, and audit the copy"
    );
    verb->add_option("--data", flags->data_dir, "The data directory")->capture_default_str();
    verb->add_option("--to", flags->to, "A directory that is not there yet")->required();
    verb->add_flag("--json", flags->json, "Print one JSON object");
    verb->callback([flags, &exit_code] { exit_code = run_backup(*flags); });
}

}  // namespace firstcome::cli
