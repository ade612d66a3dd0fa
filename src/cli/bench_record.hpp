// src/cli/bench_record.hpp - one line per answer, for an auditor that trusts nobody
#pragma once

#include "cli/bench_answer.hpp"
#include "cli/bench_request.hpp"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace firstcome::cli {

/// The format, also shown by --help: eleven columns, one space between, `-` for nothing.
inline constexpr std::string_view record_format =
    "user key item quantity status outcome sequence replayed body sent_us latency_us\n"
    "  status    HTTP status, or `unknown`: sent, but no answer came (a later line may have one)\n"
    "  outcome   orderId when status is 202, else the problem's code\n"
    "  replayed  1 when the answer was marked Idempotent-Replayed\n"
    "  body      XXH3-64 of the answer's bytes, 16 hex digits: equal for equal bytes (in a batch\n"
    "            answer: of the inner order)\n"
    "  sent_us   microseconds since the run began; latency_us until the answer, - for unknown\n"
    "  Lines starting with # are comments. Lines stand in the order in which answers were read by\n"
    "  one thread.";

/// Where the lines go.
///
/// Errors   the first failed write is kept and told by close()
/// Thread   any
class RecordFile {
public:
    [[nodiscard]] static std::expected<std::unique_ptr<RecordFile>, std::string> open(
        const std::string& path
    );
    RecordFile(const RecordFile&) = delete;
    RecordFile& operator=(const RecordFile&) = delete;
    ~RecordFile();

    void write(std::string_view lines);
    [[nodiscard]] std::expected<void, std::string> close();

private:
    RecordFile(std::string path, std::FILE* file) : path_(std::move(path)), file_(file) {}

    std::string path_;
    std::mutex mutex_;
    std::FILE* file_;
    int first_error_ = 0;
};

/// Formats the lines of one engine thread and hands them on in blocks.
///
/// Thread   one
class Recorder {
public:
    /// Both outlive this. A null file: nothing is recorded.
    Recorder(RecordFile* file, const RequestTemplates& templates)
        : file_(file), templates_(templates) {}

    [[nodiscard]] bool on() const { return file_ != nullptr; }

    struct Sent {
        Kind kind;
        std::uint64_t serial;
        std::chrono::nanoseconds sent;  ///< since the run began
    };

    void answered(const Sent& what, const OrderAnswer& answer, std::chrono::nanoseconds latency);
    void unanswered(const Sent& what);
    void flush();

private:
    void begin_line(const Sent& what);

    RecordFile* file_;
    const RequestTemplates& templates_;
    std::string lines_;
};

}  // namespace firstcome::cli
