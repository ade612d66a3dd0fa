// src/http/deadline.cpp - how long the client of a request waits, in its own words
#include "http/deadline.hpp"

#include <charconv>
#include <chrono>

namespace firstcome::http {

std::expected<base::MonotonicTime, Problem> deadline_of(const Request& request) {
    constexpr unsigned deadline_ms_max = 3'600'000;
    const std::string_view text = request.deadline_ms;
    if (text.empty()) return base::MonotonicTime::max();
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc{} && end == text.data() + text.size();
    if (!whole || value < 1 || value > deadline_ms_max) {
        Problem wrong = problem(InputErrors{
            {.pointer = "/Firstcome-Deadline-Ms", .code = InputErrorCode::out_of_range}});
        wrong.detail =
            "Send the header Firstcome-Deadline-Ms once, with whole milliseconds from 1 "
            "to 3600000, or leave it out.";
        return std::unexpected(std::move(wrong));
    }
    return request.arrived + std::chrono::milliseconds{value};
}

}  // namespace firstcome::http
