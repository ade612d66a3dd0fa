// tests/fuzz/http_request_fuzz.cpp - any bytes as a connection: read in one way only, as Beast does
#include "base/assert.hpp"
#include "tests/http/beast_agreement.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>

namespace {

using namespace firstcome;
using http::Framing;
using http::Limits;
using http::Request;

/// Small enough for inputs of a few hundred bytes to reach them.
constexpr Limits small_limits{
    .request_line_size_max = 64,
    .fields_size_max = 160,
    .fields_count_max = 5,
    .body_size_max = 24};

bool is_within(std::string_view part, std::string_view whole) {
    const std::less_equal<const char*> before;
    return part.empty() || (before(whole.data(), part.data()) &&
                            before(part.data() + part.size(), whole.data() + whole.size()));
}

void check_views(const Request& request, std::string_view bytes) {
    const std::array views{
        request.method_text,
        request.target,
        request.query,
        request.content_type,
        request.authorization,
        request.idempotency_key,
        request.if_none_match,
        request.forwarded_for,
        request.traceparent,
        request.fields};
    for (const std::string_view view : views) FC_ASSERT(is_within(view, bytes));
    FC_ASSERT(!request.path.empty());
    FC_ASSERT(
        is_within(request.path, bytes) || is_within(request.path, request.decoded_path) ||
        request.path == "/"
    );
}

void check_limits(const Request& request, const Limits& limits) {
    const auto line_size = request.method_text.size() + request.target.size() + 10;
    FC_ASSERT(line_size <= limits.request_line_size_max);
    FC_ASSERT(request.fields.size() <= limits.fields_size_max);
    const auto lines = std::count(request.fields.begin(), request.fields.end(), '\n');
    FC_ASSERT(static_cast<std::size_t>(lines) <= limits.fields_count_max);
}

void check_same(const Framing& a, const Framing& b) {
    FC_ASSERT(a.content_length == b.content_length);
    FC_ASSERT(a.chunked == b.chunked);
    FC_ASSERT(a.keep_alive == b.keep_alive);
    FC_ASSERT(a.http_1_0 == b.http_1_0);
    FC_ASSERT(a.expects_continue == b.expects_continue);
}

/// The head, and that no prefix of it says anything else.
std::size_t check_head(std::string_view bytes, const Limits& limits, Framing& framing) {
    Request request;
    const auto size = http::parse_head(bytes, limits, request, framing);
    if (size && *size > 0) {
        FC_ASSERT(*size <= bytes.size());
        check_views(request, bytes.substr(0, *size));
        check_limits(request, limits);
    }
    if (size && *size == 0) {
        // An empty line first, both parts, and the line ends that tell a part is too long.
        FC_ASSERT(bytes.size() <= limits.request_line_size_max + limits.fields_size_max + 6);
    }
    // Every size of short inputs; of long ones some, and those around the end.
    const std::size_t step = 1 + bytes.size() / 128;
    for (std::size_t prefix = 0; prefix < bytes.size(); ++prefix) {
        const bool at_the_end = size && prefix + 4 > *size && prefix < *size + 4;
        if (prefix % step != 0 && !at_the_end) continue;
        Request early;
        Framing early_framing;
        const auto found = http::parse_head(bytes.substr(0, prefix), limits, early, early_framing);
        if (!found) {
            FC_ASSERT(!size);
            FC_ASSERT(found.error() == size.error());
        } else if (*found > 0) {
            FC_ASSERT(size);
            FC_ASSERT(*found == *size);
            check_same(early_framing, framing);
        } else {
            FC_ASSERT(!size || *size == 0 || prefix < *size);
        }
    }
    return size ? *size : 0;
}

/// Decodes in place, the bytes arriving `step` at a time; an error is told by its number.
std::string decoded(std::string_view bytes, std::size_t step, const Limits& limits) {
    http::ChunkedDecoder decoder;
    std::string buffer;
    std::size_t raw = 0;
    std::size_t made = 0;
    while (buffer.size() < bytes.size()) {
        buffer += bytes.substr(buffer.size(), step);
        const auto taken = decoder.take(
            {buffer.data() + raw, buffer.size() - raw},
            buffer.data() + made,
            limits.body_size_max,
            limits
        );
        if (!taken) return "error " + std::to_string(static_cast<int>(taken.error()));
        FC_ASSERT(taken->used <= buffer.size() - raw);
        FC_ASSERT(taken->made <= taken->used);
        raw += taken->used;
        made += taken->made;
        FC_ASSERT(made <= limits.body_size_max);
        if (taken->finished) return std::to_string(raw) + ' ' + buffer.substr(0, made);
        // What is kept back is at most one line.
        FC_ASSERT(buffer.size() - raw <= std::max<std::size_t>(256, limits.fields_size_max));
        // Decoded data is never touched again, so what came before may be anything by now.
        std::fill(
            buffer.begin() + static_cast<std::ptrdiff_t>(made),
            buffer.begin() + static_cast<std::ptrdiff_t>(raw),
            '\n'
        );
    }
    return "incomplete";
}

void check_chunks(std::string_view bytes, const Limits& limits) {
    const std::string whole = decoded(bytes, std::max<std::size_t>(1, bytes.size()), limits);
    for (const std::size_t step : {1U, 2U, 3U, 7U, 64U}) {
        FC_ASSERT(decoded(bytes, step, limits) == whole);
    }
}

void check_message(std::string_view bytes, const Limits& limits) {
    Framing framing;
    const std::size_t head_size = check_head(bytes, limits, framing);
    if (head_size > 0 && framing.chunked) check_chunks(bytes.substr(head_size), limits);
    if (const auto why = http::disagreement(bytes, limits)) {
        std::fprintf(stderr, "%s\n", why->c_str());
        FC_ASSERT(!why);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    for (const Limits& limits : {Limits{}, small_limits}) {
        std::string_view stream{reinterpret_cast<const char*>(bytes), size};
        while (!stream.empty()) {
            check_message(stream, limits);
            const auto message = http::read_as_we_do(stream, limits);
            if (message.verdict != http::Reading::Verdict::accepted) break;
            stream.remove_prefix(message.end);
        }
    }
    return 0;
}
