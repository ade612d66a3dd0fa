// src/wiring/serve.cpp - the service from its start to its end, and what signals ask of it
#include "wiring/serve.hpp"

#include "base/time.hpp"
#include "cli/cli.hpp"
#include "telemetry/log.hpp"
#include "wiring/hardening.hpp"
#include "wiring/notify.hpp"
#include "wiring/service.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <expected>
#include <fstream>
#include <initializer_list>
#include <signal.h>
#include <string>
#include <thread>

namespace firstcome::wiring {

namespace {

constexpr std::chrono::seconds look_at_files_every{2};

constexpr int exit_stopped_by_fault = 70;  // EX_SOFTWARE: a supervisor should start us again

/// What is asked of us from outside: to end (a second time: at once), or to read everything again.
class Signals {
public:
    /// The next signal; 0: none came in time.
    [[nodiscard]] int wait(std::chrono::seconds patience) const {
        const timespec time{.tv_sec = patience.count(), .tv_nsec = 0};
        return std::max(0, ::sigtimedwait(&watched_, nullptr, &time));
    }

    void end(int got) const {
        log::info("stopping", {{"signal", got}});
        std::thread([ending = ending_] {
            int second = 0;
            ::sigwait(&ending, &second);
            log::warn("a second signal: stopping at once", {{"signal", second}});
            log::stop();
            std::_Exit(1);
        }).detach();  // NOLINT: it waits for ever by design, and ends with the process
    }

private:
    static sigset_t set_of(std::initializer_list<int> signals) {
        sigset_t set{};
        ::sigemptyset(&set);
        for (const int each : signals) ::sigaddset(&set, each);
        return set;
    }

    const sigset_t ending_ = set_of({SIGTERM, SIGINT});
    const sigset_t watched_ = set_of({SIGTERM, SIGINT, SIGHUP});
};

std::expected<void, std::string> write_ready_file(
    const std::string& path, const std::string& address
) {
    // Written beside and renamed: whoever waits for the file never reads half of it.
    const std::string draft = path + ".new";
    std::ofstream out{draft};
    out << address << '\n';
    out.close();
    if (!out || ::rename(draft.c_str(), path.c_str()) != 0) {
        return std::unexpected("cannot write the ready file " + path);
    }
    return {};
}

}  // namespace

bool is_asked_to_end() {
    sigset_t pending{};
    ::sigpending(&pending);
    return ::sigismember(&pending, SIGTERM) == 1 || ::sigismember(&pending, SIGINT) == 1;
}

void stop_at_once(std::string_view why) {
    log::error(why);
    log::stop();
    std::_Exit(exit_stopped_by_fault);
}

int serve(const config::Config& config, const ServeOptions& options) {
    const auto fail = [](const std::string& why) {
        log::error("cannot start", {{"reason", why}});
        log::stop();
        return 1;
    };
    for (const std::string& refusal : config::refusals(config)) {
        fail(refusal);
        return cli::ExitCode::usage;
    }
    for (const std::string& warning : config::warnings(config)) log::warn(warning);

    // A write beyond the file size limit is to be an error of that write, not the end of us.
    ::signal(SIGXFSZ, SIG_IGN);
    ::signal(SIGPIPE, SIG_IGN);
    Service service{config};
    if (auto started = service.start(options); !started) {
        if (!is_asked_to_end()) return fail(started.error());
        const Signals signals;
        signals.end(signals.wait(std::chrono::seconds{0}));
        log::info("the start was not over", {{"reason", started.error()}});
        log::stop();
        return 0;
    }
    log::info(
        "listening",
        {{"address", service.address()},
         {"url", (config.has_tls() ? "https://" : "http://") + service.address()},
         {"admin_address", service.admin_address()},
         {"mode", config.mode == config::Mode::embedded ? "embedded" : "distributed"},
         {"data", config.data.dir},
         {"version", cli::version()}}
    );
    if (!options.ready_file.empty()) {
        if (auto told = write_ready_file(options.ready_file, service.address()); !told) {
            static_cast<void>(service.drain());
            return fail(told.error());
        }
    }
    if (const auto open = complaint_about_directory(config.data.dir); !open.empty())
        log::warn(open);
    notify_ready("serving on " + service.address());
    const Signals signals;
    int got = 0;
    while (got != SIGTERM && got != SIGINT) {
        got = signals.wait(look_at_files_every);
        if (got == SIGHUP) {
            notify_reloading(base::SystemClock{}.monotonic(), "reloading");
            service.reload(options.reread);
            notify_ready("serving on " + service.address());
        }
        if (got == 0) service.reload_changed_files();
    }
    signals.end(got);
    const int exit_code = service.drain();
    log::stop();
    return exit_code;
}

}  // namespace firstcome::wiring
