// src/http/b3.cpp - the trace a caller names in Zipkin's own header fields
#include "http/b3.hpp"

#include <cstdint>
#include <string_view>

namespace firstcome::http {

namespace {

/// Up to 16 digits, either case. Nothing: another character, none, or too many.
std::optional<std::uint64_t> hex_word(std::string_view text) {
    if (text.empty() || text.size() > 16) return std::nullopt;
    std::uint64_t value = 0;
    for (const char c : text) {
        const char low = c >= 'A' && c <= 'F' ? static_cast<char>(c | 0x20) : c;
        const bool is_decimal = low >= '0' && low <= '9';
        if (!is_decimal && (low < 'a' || low > 'f')) return std::nullopt;
        value = value << 4U | static_cast<std::uint64_t>(is_decimal ? low - '0' : low - 'a' + 10);
    }
    return value;
}

/// `0`, `1`, `d` (debug, which is sampled); older callers write true and false.
std::optional<bool> decision(std::string_view text) {
    if (text == "1" || text == "d" || text == "true") return true;
    if (text == "0" || text == "false") return false;
    return std::nullopt;
}

/// The ids are 16 or 32 digits, and 16.
std::optional<domain::TraceContext> trace_of(std::string_view trace, std::string_view span) {
    if ((trace.size() != 16 && trace.size() != 32) || span.size() != 16) return std::nullopt;
    const std::string_view high = trace.size() == 32 ? trace.substr(0, 16) : "0";
    const auto trace_high = hex_word(high);
    const auto trace_low = hex_word(trace.substr(trace.size() - 16));
    const auto span_id = hex_word(span);
    if (!trace_high || !trace_low || !span_id) return std::nullopt;
    if ((*trace_high | *trace_low) == 0 || *span_id == 0) return std::nullopt;
    return domain::TraceContext{
        .trace_high = *trace_high, .trace_low = *trace_low, .span = *span_id};
}

// <trace>-<span>[-<decision>[-<parent>]], or the decision alone.
std::optional<B3> read_single(std::string_view text) {
    if (const auto alone = decision(text)) return B3{.trace = {}, .sampled = alone};
    const auto take = [&text] {
        const auto dash = std::min(text.find('-'), text.size());
        const std::string_view part = text.substr(0, dash);
        text.remove_prefix(std::min(dash + 1, text.size()));
        return part;
    };
    const std::string_view trace_id = take();
    const std::string_view span_id = take();
    const auto trace = trace_of(trace_id, span_id);
    if (!trace) return std::nullopt;
    B3 read{.trace = *trace, .sampled = {}};
    if (text.empty()) return read;
    read.sampled = decision(take());
    if (!read.sampled) return std::nullopt;
    return read;
}

std::string_view first_named(const Request& request, std::string_view name) {
    const auto found = request.fields_named(name);
    return found.empty() ? std::string_view{} : found.front();
}

std::optional<B3> read_multiple(const Request& request) {
    const bool debug = first_named(request, "x-b3-flags") == "1";
    const std::string_view trace_id = first_named(request, "x-b3-traceid");
    B3 read;
    read.sampled = debug ? std::optional{true} : decision(first_named(request, "x-b3-sampled"));
    if (trace_id.empty()) {
        if (!read.sampled) return std::nullopt;
        return read;
    }
    const auto trace = trace_of(trace_id, first_named(request, "x-b3-spanid"));
    if (!trace) return std::nullopt;
    read.trace = *trace;
    return read;
}

}  // namespace

std::optional<B3> b3_of(const Request& request) {
    const std::string_view single = first_named(request, "b3");
    return single.empty() ? read_multiple(request) : read_single(single);
}

}  // namespace firstcome::http
