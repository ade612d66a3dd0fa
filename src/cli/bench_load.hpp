// src/cli/bench_load.hpp - all threads of the load, and the line that shows how they fare
#pragma once

#include "base/time.hpp"
#include "cli/bench_client.hpp"
#include "cli/bench_options.hpp"
#include "cli/bench_record.hpp"
#include "cli/bench_request.hpp"
#include "cli/bench_witness.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace firstcome::cli {

struct EngineShare;

/// What a load works with; all of it outlives the load.
struct LoadParts {
    const BenchOptions& options;
    const Endpoint& endpoint;
    const RequestTemplates& templates;
    RecordFile* record;  ///< null: none
    const std::atomic<bool>& interrupted;
    std::uint64_t seed;
};

/// Thread   main; the engines run in threads of its own
class Load {
public:
    explicit Load(LoadParts parts);

    /// Returns the time from the first call to the last answer. Afterwards the witness has seen
    /// what all threads saw.
    std::chrono::nanoseconds run();

    [[nodiscard]] const Witness& witness() const { return *witnesses_.front(); }

private:
    void run_thread(unsigned at);
    [[nodiscard]] EngineShare share_of(unsigned at) const;
    void show_progress();
    [[nodiscard]] std::string current_line(BenchClient& client);

    const LoadParts parts_;
    base::SystemClock clock_;
    base::MonotonicTime start_;
    std::vector<std::unique_ptr<Witness>> witnesses_;
    std::uint64_t shown_answers_ = 0;
    base::MonotonicTime shown_at_;

    std::mutex mutex_;
    std::condition_variable ended_;
    unsigned running_ = 0;               // under mutex_
    base::MonotonicTime last_answer_{};  // under mutex_
};

}  // namespace firstcome::cli
