// src/http/dlq_handler.cpp - what an operator does with dead letters
#include "http/dlq_handler.hpp"

#include "app/dead_letter_desk.hpp"
#include "http/admin_handler.hpp"
#include "http/answers.hpp"
#include "http/audit_handler.hpp"
#include "http/await.hpp"
#include "http/dlq_json.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"
#include "http/query_string.hpp"
#include "telemetry/log.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// g++ 12 may inline the one of Asio's frame allocation and deallocation and not the other, and then
// takes them for a mismatched pair.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

namespace firstcome::http {

namespace {

using ports::DeadLetter;
using ports::DeadLetterError;
using ports::RedriveTask;

template <typename T>
using Result = ports::DeadLetters::Result<T>;

constexpr std::string_view nothing_kept =
    "Dead letters are kept only with a webhook (`webhook.url`) or in distributed mode.";

enum class Asks : std::uint8_t { read, change };

/// What the desk said no with, in the words of this route.
struct Words {
    ProblemCode not_found = ProblemCode::dead_letter_not_found;
    ProblemCode in_the_way = ProblemCode::dead_letter_busy;
};

constexpr Words of_entries{};
constexpr Words of_tasks{
    .not_found = ProblemCode::redrive_not_found, .in_the_way = ProblemCode::redrive_ended};

/// Answers and returns nobody unless the request may be worked on.
std::optional<Admin> admit(
    const Request& request, Response& response, const App& app, AdminScope wanted
) {
    auto admin = require_admin(request, response, app, wanted);
    if (!admin || app.dead_letters != nullptr) return admin;
    answer_problem(request, problem(ProblemCode::not_found, nothing_kept), response);
    return std::nullopt;
}

/// The number in the path; nothing: it cannot be one of ours.
std::optional<std::int64_t> number_in(const Request& request) {
    const std::string_view text = request.parameters[0];
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number < 1) return std::nullopt;
    return number;
}

Problem problem_of(DeadLetterError error, const Words& words, const Request& request) {
    switch (error) {
        case DeadLetterError::not_found: return problem(words.not_found);
        case DeadLetterError::in_the_way: return problem(words.in_the_way);
        case DeadLetterError::unavailable:
            return please_wait(WaitReason::storage_unavailable, chance_of(request));
    }
    FC_UNREACHABLE();
}

template <typename T>
using Started = StartCall<Result<T>>;

/// Has `work` done by the desk's thread.
template <typename T>
Started<T> on_desk(App& app, std::move_only_function<Result<T>(ports::DeadLetters&)> work) {
    return [&app, work = std::move(work)](std::move_only_function<void(Result<T>)> done) mutable {
        return app.dead_letters->ask([work = std::move(work),
                                      done = std::move(done)](ports::DeadLetters& dead_letters
                                     ) mutable { done(work(dead_letters)); });
    };
}

template <typename T>
using Answered = std::expected<Result<T>, AwaitError>;

/// What to answer with instead of what was asked for; nothing: it is there.
template <typename T>
std::optional<Problem> problem_in(
    const Answered<T>& answer, Asks asks, const Words& words, const Request& request
) {
    if (!answer && asks == Asks::read) return problem_of_read(answer.error(), request);
    if (!answer) return problem_of_change(answer.error(), request);
    if (!*answer) return problem_of(answer->error(), words, request);
    return std::nullopt;
}

base::MonotonicTime deadline_in(IoThread& io) {
    return io.clock().monotonic() + io.options().timeouts.reply;
}

Response entry_response(const DeadLetter& letter, unsigned status) {
    Response response;
    response.status = status;
    response.content_type = json_content_type;
    append_dead_letter(response.body, letter);
    return response;
}

Response task_response(const RedriveTask& task, unsigned status) {
    Response response;
    response.status = status;
    response.content_type = json_content_type;
    append_redrive(response.body, task);
    return response;
}

/// Who changed what: a line in the log and an entry in the audit.
void note(
    App& app, const Author& author, std::int64_t number, std::string_view said, AdminChange change
) {
    log::info(
        said,
        {{"id", number},
         {"who", author.who},
         {"request_id", author.request_id},
         {"trace_id", author.trace_id}}
    );
    change.subject = std::to_string(number);
    record_change(app, author, std::move(change));
}

/// Has `tell` called with a change on the thread that has made it: also when it happens after its
/// request was answered outcome_unknown, and nobody waits for it any more.
template <typename T>
Started<T> noted(Started<T> start, std::move_only_function<void(const T&)> tell) {
    return [start = std::move(start),
            tell = std::move(tell)](std::move_only_function<void(Result<T>)> done) mutable {
        return start([tell = std::move(tell), done = std::move(done)](Result<T> result) mutable {
            if (result) tell(*result);
            done(std::move(result));
        });
    };
}

std::string status_json(std::string_view status) {
    return fmt::format(R"({{"status":"{}"}})", status);
}

std::string task_json(const RedriveTask& task) {
    std::string json;
    append_redrive(json, task);
    return json;
}

struct Listed {
    ports::DeadLetterPage page;
    ports::DeadLetterTotals totals;
};

Result<Listed> list(ports::DeadLetters& dead_letters, const DeadLetterQuery& query) {
    auto page = dead_letters.list(query.filter, query.limit, query.below);
    if (!page) return std::unexpected(page.error());
    auto totals = dead_letters.totals();
    if (!totals) return std::unexpected(totals.error());
    return Listed{std::move(*page), std::move(*totals)};
}

Result<DeadLetter> find(ports::DeadLetters& dead_letters, ports::DeadLetterId id) {
    auto found = dead_letters.find(id);
    if (!found) return std::unexpected(found.error());
    if (!*found) return std::unexpected(DeadLetterError::not_found);
    return std::move(**found);
}

struct Discard {
    ports::DeadLetterId id = 0;
    std::string reason;
    std::string who{};
};

std::expected<Discard, Problem> discard_in(const Request& request) {
    const auto id = number_in(request);
    if (!id) return std::unexpected(problem(of_entries.not_found));
    if (!is_json(request.content_type)) {
        return std::unexpected(problem(ProblemCode::unsupported_media_type));
    }
    auto reason = parse_discard(request.body);
    if (!reason) return std::unexpected(problem(std::move(reason.error())));
    return Discard{.id = *id, .reason = std::move(*reason)};
}

std::expected<RedriveRequest, Problem> redrive_in(const Request& request) {
    if (!is_json(request.content_type)) {
        return std::unexpected(problem(ProblemCode::unsupported_media_type));
    }
    auto wanted = parse_redrive(request.body);
    if (!wanted) return std::unexpected(problem(std::move(wanted.error())));
    return std::move(*wanted);
}

Started<DeadLetter> on_desk(App& app, Discard wanted) {
    return [&app, wanted = std::move(wanted)](auto done) mutable {
        return app.dead_letters->discard(
            wanted.id, std::move(wanted.reason), std::move(wanted.who), std::move(done)
        );
    };
}

}  // namespace

Awaitable<Response> list_dead_letters(const Request& request, IoThread& io, App& app) {
    Response response;
    if (!admit(request, response, app, AdminScope::read)) co_return response;
    auto query = parse_dead_letter_query(request.query);
    if (!query) co_return problem_response(request, problem(std::move(query.error())));
    auto start = on_desk<Listed>(app, [query = std::move(*query)](auto& dead_letters) {
        return list(dead_letters, query);
    });
    const auto deadline = deadline_in(io);
    const auto answer = co_await await_call<Result<Listed>>(io, deadline, std::move(start));
    if (const auto no = problem_in<Listed>(answer, Asks::read, of_entries, request)) {
        co_return problem_response(request, *no);
    }
    const Listed& listed = **answer;
    response.content_type = json_content_type;
    append_dead_letter_page(response.body, listed.page, listed.totals, io.clock().wall());
    co_return response;
}

Awaitable<Response> get_dead_letter(const Request& request, IoThread& io, App& app) {
    Response response;
    if (!admit(request, response, app, AdminScope::read)) co_return response;
    const auto id = number_in(request);
    if (!id) co_return problem_response(request, problem(of_entries.not_found));
    auto start =
        on_desk<DeadLetter>(app, [id = *id](auto& dead_letters) { return find(dead_letters, id); });
    const auto deadline = deadline_in(io);
    const auto answer = co_await await_call<Result<DeadLetter>>(io, deadline, std::move(start));
    if (const auto no = problem_in<DeadLetter>(answer, Asks::read, of_entries, request)) {
        co_return problem_response(request, *no);
    }
    const DeadLetter& found = **answer;
    co_return entry_response(found, 200);
}

Awaitable<Response> retry_dead_letter(const Request& request, IoThread& io, App& app) {
    Response response;
    const auto admin = admit(request, response, app, AdminScope::dlq);
    if (!admin) co_return response;
    const auto id = number_in(request);
    if (!id) co_return problem_response(request, problem(of_entries.not_found));
    auto retry = on_desk<DeadLetter>(app, [id = *id, now = io.clock().wall()](auto& dead_letters) {
        return dead_letters.retry(id, now);
    });
    auto tell = [&app, author = author_of(request, *admin)](const DeadLetter& due) {
        AdminChange change{
            .what = "dead_letter.retry", .subject = {}, .after = status_json(name(due.status))};
        note(app, author, due.id, "a dead letter is tried again", std::move(change));
    };
    auto start = noted<DeadLetter>(std::move(retry), std::move(tell));
    const auto deadline = deadline_in(io);
    const auto answer = co_await await_call<Result<DeadLetter>>(io, deadline, std::move(start));
    if (const auto no = problem_in<DeadLetter>(answer, Asks::change, of_entries, request)) {
        co_return problem_response(request, *no);
    }
    const DeadLetter& due = **answer;
    co_return entry_response(due, 202);
}

Awaitable<Response> discard_dead_letter(const Request& request, IoThread& io, App& app) {
    Response response;
    const auto admin = admit(request, response, app, AdminScope::dlq);
    if (!admin) co_return response;
    auto wanted = discard_in(request);
    if (!wanted) co_return problem_response(request, wanted.error());
    wanted->who = admin->name;
    auto tell = [&app,
                 author = author_of(request, *admin),
                 reason = wanted->reason](const DeadLetter& discarded) {
        AdminChange change{
            .what = "dead_letter.discard",
            .subject = {},
            .reason = reason,
            .after = status_json(name(discarded.status))};
        note(app, author, discarded.id, "a dead letter is given up", std::move(change));
    };
    auto start = noted<DeadLetter>(on_desk(app, std::move(*wanted)), std::move(tell));
    const auto deadline = deadline_in(io);
    const auto answer = co_await await_call<Result<DeadLetter>>(io, deadline, std::move(start));
    if (const auto no = problem_in<DeadLetter>(answer, Asks::change, of_entries, request)) {
        co_return problem_response(request, *no);
    }
    co_return entry_response(**answer, 202);
}

Awaitable<Response> post_redrive(const Request& request, IoThread& io, App& app) {
    Response response;
    const auto admin = admit(request, response, app, AdminScope::dlq);
    if (!admin) co_return response;
    const auto wanted = redrive_in(request);
    if (!wanted) co_return problem_response(request, wanted.error());
    auto begin =
        on_desk<RedriveTask>(app, [wanted = *wanted, now = io.clock().wall()](auto& dead_letters) {
            return dead_letters.start_redrive(wanted.filter, wanted.per_second, now);
        });
    auto tell = [&app, author = author_of(request, *admin)](const RedriveTask& task) {
        AdminChange change{.what = "redrive.start", .subject = {}, .after = task_json(task)};
        note(app, author, task.id, "a redrive begins", std::move(change));
    };
    auto start = noted<RedriveTask>(std::move(begin), std::move(tell));
    constexpr Words words{.in_the_way = ProblemCode::redrive_running};
    const auto deadline = deadline_in(io);
    const auto answer = co_await await_call<Result<RedriveTask>>(io, deadline, std::move(start));
    if (const auto no = problem_in<RedriveTask>(answer, Asks::change, words, request)) {
        co_return problem_response(request, *no);
    }
    const RedriveTask& task = **answer;
    response = task_response(task, 202);
    response.add_header("Location", "/api/v1/admin/dlq/redrive/" + std::to_string(task.id));
    co_return response;
}

Awaitable<Response> list_redrives(const Request& request, IoThread& io, App& app) {
    Response response;
    if (!admit(request, response, app, AdminScope::read)) co_return response;
    using Tasks = std::vector<RedriveTask>;
    auto start = on_desk<Tasks>(app, [](ports::DeadLetters& dead_letters) {
        return dead_letters.redrives();
    });
    const auto deadline = deadline_in(io);
    const auto answer = co_await await_call<Result<Tasks>>(io, deadline, std::move(start));
    if (const auto no = problem_in<Tasks>(answer, Asks::read, of_tasks, request)) {
        co_return problem_response(request, *no);
    }
    const Tasks& tasks = **answer;
    response.content_type = json_content_type;
    append_redrives(response.body, tasks);
    co_return response;
}

Awaitable<Response> get_redrive(const Request& request, IoThread& io, App& app) {
    Response response;
    if (!admit(request, response, app, AdminScope::read)) co_return response;
    const auto id = number_in(request);
    if (!id) co_return problem_response(request, problem(of_tasks.not_found));
    auto start = on_desk<RedriveTask>(app, [id = *id](auto& dead_letters) {
        return dead_letters.redrive(id);
    });
    const auto deadline = deadline_in(io);
    const auto answer = co_await await_call<Result<RedriveTask>>(io, deadline, std::move(start));
    if (const auto no = problem_in<RedriveTask>(answer, Asks::read, of_tasks, request)) {
        co_return problem_response(request, *no);
    }
    const RedriveTask& task = **answer;
    co_return task_response(task, 200);
}

Awaitable<Response> cancel_redrive(const Request& request, IoThread& io, App& app) {
    Response response;
    const auto admin = admit(request, response, app, AdminScope::dlq);
    if (!admin) co_return response;
    const auto id = number_in(request);
    if (!id) co_return problem_response(request, problem(of_tasks.not_found));
    auto cancel =
        on_desk<RedriveTask>(app, [id = *id, now = io.clock().wall()](auto& dead_letters) {
            return dead_letters.cancel_redrive(id, now);
        });
    auto tell = [&app, author = author_of(request, *admin)](const RedriveTask& task) {
        AdminChange change{.what = "redrive.cancel", .subject = {}, .after = task_json(task)};
        note(app, author, task.id, "a redrive is cancelled", std::move(change));
    };
    auto start = noted<RedriveTask>(std::move(cancel), std::move(tell));
    const auto deadline = deadline_in(io);
    const auto answer = co_await await_call<Result<RedriveTask>>(io, deadline, std::move(start));
    if (const auto no = problem_in<RedriveTask>(answer, Asks::change, of_tasks, request)) {
        co_return problem_response(request, *no);
    }
    const RedriveTask& task = **answer;
    co_return task_response(task, 200);
}

}  // namespace firstcome::http
