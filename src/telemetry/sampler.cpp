// src/telemetry/sampler.cpp - the ratio as a bound on trace ids
#include "telemetry/sampler.hpp"

namespace firstcome::telemetry {

Sampler::Sampler(const Options& options) : parent_based_(options.parent_based), bound_(0) {
    constexpr std::uint64_t all = std::uint64_t{1}
                                  << 63U;  // ids are compared without their last bit
    if (options.ratio >= 1) {
        bound_ = all;
    } else if (options.ratio > 0) {
        bound_ = static_cast<std::uint64_t>(options.ratio * static_cast<double>(all));
    }
}

}  // namespace firstcome::telemetry
