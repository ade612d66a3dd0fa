// src/http/answers.hpp - the few ways in which every handler ends
#pragma once

#include "http/message.hpp"
#include "http/problem.hpp"

#include <cstdint>
#include <string_view>

namespace firstcome::http {

enum class AwaitError : std::uint8_t;  // await.hpp

/// Makes `response` the problem's document; `response` comes cleared.
void answer_problem(const Request& request, const Problem& problem, Response& response);
[[nodiscard]] Response problem_response(const Request& request, const Problem& problem);

/// What the engine answers by itself, in the same form (ServerOptions::render_problem).
void render_engine_problem(ProblemCode why, const Request& request, Response& response);

/// A call that did not answer: a read may simply be asked again, a change has an unknown outcome.
[[nodiscard]] Problem problem_of_read(AwaitError error, const Request& request);
[[nodiscard]] Problem problem_of_change(AwaitError error, const Request& request);

/// A word to spread Retry-After with; differs from request to request and costs nothing.
[[nodiscard]] std::uint64_t chance_of(const Request& request);

/// `application/json`, with or without parameters, any case.
[[nodiscard]] bool is_json(std::string_view content_type);

}  // namespace firstcome::http
