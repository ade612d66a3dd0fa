// src/http/answers.cpp - the few ways in which every handler ends
#include "http/answers.hpp"

#include "http/await.hpp"

#include <algorithm>
#include <cctype>
#include <string>

namespace firstcome::http {

void answer_problem(const Request& request, const Problem& problem, Response& response) {
    response.status = static_cast<unsigned>(row(problem.code).status);
    response.content_type = problem_content_type;
    const std::string trace_id = request.trace_id();
    append_problem_headers(response.headers, problem);
    const ProblemContext context{.instance = request.path_as_sent, .trace_id = trace_id};
    append_problem_body(response.body, problem, context);
}

Response problem_response(const Request& request, const Problem& problem) {
    Response response;
    answer_problem(request, problem, response);
    return response;
}

void render_engine_problem(ProblemCode why, const Request& request, Response& response) {
    if (why == ProblemCode::please_wait) {
        const auto chance = chance_of(request);
        return answer_problem(request, please_wait(WaitReason::overloaded, chance), response);
    }
    if (why == ProblemCode::outcome_unknown) {
        const auto error = ports::LedgerError::outcome_unknown;
        return answer_problem(request, problem(error, chance_of(request)), response);
    }
    answer_problem(request, problem(why), response);
}

Problem problem_of_read(AwaitError /*error*/, const Request& request) {
    return please_wait(WaitReason::overloaded, chance_of(request));
}

Problem problem_of_change(AwaitError error, const Request& request) {
    switch (error) {
        case AwaitError::refused: return please_wait(WaitReason::overloaded, chance_of(request));
        case AwaitError::timed_out:
            return problem(ports::LedgerError::outcome_unknown, chance_of(request));
    }
    FC_UNREACHABLE();
}

std::uint64_t chance_of(const Request& request) {
    const auto arrived = static_cast<std::uint64_t>(request.arrived.time_since_epoch().count());
    return (arrived ^ request.trace.trace_low) * 0x9E3779B97F4A7C15ULL;
}

bool is_json(std::string_view content_type) {
    constexpr std::string_view json = "application/json";
    if (content_type.size() < json.size()) return false;
    const auto same = [](char wanted, char sent) {
        return wanted == std::tolower(static_cast<unsigned char>(sent));
    };
    if (!std::equal(json.begin(), json.end(), content_type.begin(), same)) return false;
    content_type.remove_prefix(json.size());
    const auto rest = content_type.find_first_not_of(" \t");
    return rest == std::string_view::npos || content_type[rest] == ';';
}

}  // namespace firstcome::http
