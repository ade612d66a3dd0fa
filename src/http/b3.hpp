// src/http/b3.hpp - the trace a caller names in Zipkin's own header fields
#pragma once

#include "domain/order.hpp"
#include "http/message.hpp"

#include <optional>

namespace firstcome::http {

/// What B3 fields say. All zero in `trace`: they name none, and only `sampled` counts.
struct B3 {
    domain::TraceContext trace;   ///< with the caller's span
    std::optional<bool> sampled;  ///< nothing: whoever reads this decides
};

/// Of `b3`, or else of `X-B3-TraceId` and its like. Nothing: not there, or not valid.
///
/// Source   openzipkin, b3-propagation
[[nodiscard]] std::optional<B3> b3_of(const Request& request);

}  // namespace firstcome::http
