// src/telemetry/sampler.hpp - which traces are kept, decided when a request begins
#pragma once

#include <cstdint>
#include <optional>

namespace firstcome::telemetry {

/// Thread   any (immutable)
/// Source   OpenTelemetry SDK, "Sampling": ParentBased, TraceIdRatioBased
class Sampler {
public:
    struct Options {
        bool parent_based = true;  ///< what the caller decided holds
        double ratio = 1;          ///< of the traces this process decides about, 0..1
    };

    explicit Sampler(const Options& options);

    /// `trace_low`: the trace id's low half. By the id alone, so that all services with this ratio
    /// keep the same traces. `parent`: what the caller decided; nothing: no caller, or undecided.
    [[nodiscard]] bool keeps(std::uint64_t trace_low, std::optional<bool> parent) const {
        if (parent_based_ && parent) return *parent;
        return (trace_low >> 1U) < bound_;
    }

private:
    bool parent_based_;
    std::uint64_t bound_;
};

}  // namespace firstcome::telemetry
