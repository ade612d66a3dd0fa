// src/telemetry/current_trace.cpp - the request a thread works for, for its log lines
#include "telemetry/current_trace.hpp"

#include <fmt/format.h>

namespace firstcome::telemetry {

namespace {

constinit thread_local const CurrentTrace* current = nullptr;

}  // namespace

std::string CurrentTrace::trace_id() const {
    return fmt::format("{:016x}{:016x}", trace.trace_high, trace.trace_low);
}

std::string CurrentTrace::span_id() const {
    return trace.span == 0 ? std::string{} : fmt::format("{:016x}", trace.span);
}

const CurrentTrace* current_trace() {
    return current;
}

TraceScope::TraceScope(const CurrentTrace& trace) : before_(current) {
    current = &trace;
}

TraceScope::~TraceScope() {
    current = before_;
}

}  // namespace firstcome::telemetry
