// tests/support/spans.hpp - keeps the spans it is given, for a test to look at
#pragma once

#include "ports/spans.hpp"
#include "tests/support/manual.hpp"

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firstcome::test {

/// Ids count up from 1,001; the wall clock is a ManualClock's.
class KeptSpans final : public ports::SpanRecorder {
public:
    void record(ports::Span&& span) override {
        const std::lock_guard lock{mutex_};
        spans_.push_back(std::move(span));
    }

    void drop() override {
        const std::lock_guard lock{mutex_};
        ++dropped_;
    }

    [[nodiscard]] std::uint64_t new_id() override {
        const std::lock_guard lock{mutex_};
        return ++last_id_;
    }

    [[nodiscard]] ports::SpanTime at(base::MonotonicTime time) const override {
        const ManualClock begin;
        return begin.wall() + (time - begin.monotonic());
    }

    [[nodiscard]] std::vector<ports::Span> all() const {
        const std::lock_guard lock{mutex_};
        return spans_;
    }

    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> names;
        for (const ports::Span& span : all()) names.push_back(span.name);
        return names;
    }

    [[nodiscard]] std::uint64_t dropped() const {
        const std::lock_guard lock{mutex_};
        return dropped_;
    }

private:
    mutable std::mutex mutex_;
    std::vector<ports::Span> spans_;
    std::uint64_t dropped_ = 0;
    std::uint64_t last_id_ = 1000;
};

/// The attribute as text; empty: not there.
inline std::string attribute(const ports::Span& span, std::string_view key) {
    for (const ports::SpanAttribute& each : span.attributes) {
        if (each.key != key) continue;
        const auto* number = std::get_if<std::int64_t>(&each.value);
        return number == nullptr ? std::get<std::string>(each.value) : std::to_string(*number);
    }
    return {};
}

}  // namespace firstcome::test
