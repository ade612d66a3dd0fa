// src/cli/bench_record.cpp - writes the record of answers
#include "cli/bench_record.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <iterator>
#include <system_error>
#include <utility>

namespace firstcome::cli {

namespace {

constexpr std::size_t block_size = 64 * 1024;

std::string reason(int error) {
    return std::generic_category().message(error);
}

}  // namespace

std::expected<std::unique_ptr<RecordFile>, std::string> RecordFile::open(const std::string& path) {
    std::FILE* file = std::fopen(path.c_str(), "we");
    if (file == nullptr) {
        return std::unexpected(fmt::format("cannot write {}: {}", path, reason(errno)));
    }
    std::unique_ptr<RecordFile> record{new RecordFile(path, file)};
    const std::string_view columns = record_format.substr(0, record_format.find('\n') + 1);
    record->write(fmt::format("# firstcome bench record 1\n# {}", columns));
    return record;
}

RecordFile::~RecordFile() {
    if (file_ != nullptr) std::fclose(file_);
}

void RecordFile::write(std::string_view lines) {
    const std::lock_guard lock{mutex_};
    if (first_error_ != 0 || file_ == nullptr) return;
    if (std::fwrite(lines.data(), 1, lines.size(), file_) != lines.size()) first_error_ = errno;
}

std::expected<void, std::string> RecordFile::close() {
    const std::lock_guard lock{mutex_};
    std::FILE* file = std::exchange(file_, nullptr);
    if (file != nullptr && std::fclose(file) != 0 && first_error_ == 0) first_error_ = errno;
    if (first_error_ == 0) return {};
    return std::unexpected(fmt::format("{} is not whole: {}", path_, reason(first_error_)));
}

void Recorder::begin_line(const Sent& what) {
    const Naming& naming = templates_.naming();
    fmt::format_to(
        std::back_inserter(lines_),
        "{} {} {} {} ",
        naming.user(what.serial),
        templates_.keys() ? naming.key(what.kind, what.serial) : "-",
        templates_.item(what.kind),
        templates_.quantity(what.kind)
    );
}

void Recorder::answered(
    const Sent& what, const OrderAnswer& answer, std::chrono::nanoseconds latency
) {
    begin_line(what);
    const std::string_view outcome = answer.accepted() ? answer.order_id : answer.code;
    fmt::format_to(
        std::back_inserter(lines_),
        "{} {} {} {} {:016x} {} {}\n",
        answer.status,
        outcome.empty() ? "-" : outcome,
        answer.sequence == 0 ? "-" : fmt::to_string(answer.sequence),
        answer.replayed ? 1 : 0,
        answer.body_hash,
        what.sent.count() / 1'000,
        latency.count() / 1'000
    );
    if (lines_.size() >= block_size) flush();
}

void Recorder::unanswered(const Sent& what) {
    begin_line(what);
    fmt::format_to(std::back_inserter(lines_), "unknown - - 0 - {} -\n", what.sent.count() / 1'000);
    if (lines_.size() >= block_size) flush();
}

void Recorder::flush() {
    if (file_ != nullptr) file_->write(lines_);
    lines_.clear();
}

}  // namespace firstcome::cli
