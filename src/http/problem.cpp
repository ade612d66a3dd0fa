// src/http/problem.cpp - the table: from every "no" and every fault to status, words and headers
#include "http/problem.hpp"

#include "base/assert.hpp"
#include "http/json.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace firstcome::http {

namespace {

using std::chrono::seconds;

template <typename... Visitors>
struct Overloaded : Visitors... {
    using Visitors::operator()...;
};

template <typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

ProblemRow row_of(ProblemCode code) {
    switch (code) {
        case ProblemCode::sold_out:
            return {
                "sold_out",
                409,
                "Sold out",
                "Every unit is taken. Units may come back when an order fails; asking again is "
                "free."};
        case ProblemCode::insufficient_stock:
            return {
                "insufficient_stock",
                409,
                "Fewer units left than asked for",
                "Ask again for no more than `remaining`."};
        case ProblemCode::user_limit_exceeded:
            return {
                "user_limit_exceeded",
                409,
                "Limit per buyer reached",
                "A buyer may have `limit` units of this item and has `used`; ask for no more than "
                "the difference."};
        case ProblemCode::sale_not_open:
            return {
                "sale_not_open",
                409,
                "The sale is not open yet",
                "Ask again at `opensAt`; asking earlier gives no place in the line."};
        case ProblemCode::sale_closed:
            return {
                "sale_closed",
                410,
                "The sale is closed",
                "The sale ended at `closedAt` and takes no more orders."};
        case ProblemCode::item_not_found:
            return {
                "item_not_found",
                404,
                "Unknown item",
                "Check `itemId`; an item exists once its stock was set."};
        case ProblemCode::idempotency_key_reused:
            return {
                "idempotency_key_reused",
                422,
                "Idempotency key used for another request",
                "Use a new key for a new request, or repeat the first one unchanged; `differs` "
                "names what changed, where known."};
        case ProblemCode::idempotency_in_progress:
            return {
                "idempotency_in_progress",
                409,
                "The first request with this key is still running",
                "Wait as long as Retry-After says, then ask again with the same key."};
        case ProblemCode::below_committed:
            return {
                "below_committed",
                409,
                "Fewer units than already committed",
                "`committed` units are sold or being given back; leave at least that many in "
                "total."};
        case ProblemCode::total_too_large:
            return {
                "total_too_large",
                409,
                "More units than an item may have",
                "Keep the item's total at or below 1000000000000 units."};
        case ProblemCode::window_invalid:
            return {
                "window_invalid",
                422,
                "The sale would close before it opens",
                "Send a `closesAt` later than `opensAt`; one that is not sent keeps its value."};
        case ProblemCode::validation_failed:
            return {
                "validation_failed",
                400,
                "The request does not have the right form",
                "Correct what `errors` lists, then send it again."};
        case ProblemCode::idempotency_key_missing:
            return {
                "idempotency_key_missing",
                400,
                "Idempotency-Key is missing",
                "Send an Idempotency-Key header with a new random value, such as a UUID, for each "
                "order, and the same value when you repeat it."};
        case ProblemCode::idempotency_key_invalid:
            return {
                "idempotency_key_invalid",
                400,
                "Idempotency-Key cannot be used",
                "Send one Idempotency-Key of 1-255 visible ASCII characters."};
        case ProblemCode::malformed_request:
            return {
                "malformed_request",
                400,
                "Not a correct HTTP request",
                "Where the message begins or ends was in doubt, so nothing was done. Check the "
                "client or the proxy between."};
        case ProblemCode::headers_too_large:
            return {
                "headers_too_large",
                431,
                "Request headers are too large",
                "Send at most 100 header fields of 16 KiB together."};
        case ProblemCode::uri_too_long:
            return {
                "uri_too_long",
                414,
                "Request target is too long",
                "Keep the request line within 8 KiB."};
        case ProblemCode::payload_too_large:
            return {
                "payload_too_large",
                413,
                "Request body is too large",
                "Send a smaller body, and split a large batch; a GET takes no body."};
        case ProblemCode::unsupported_media_type:
            return {
                "unsupported_media_type",
                415,
                "The body is not JSON",
                "Send the body as JSON with Content-Type: application/json and no "
                "Content-Encoding."};
        case ProblemCode::not_found:
            return {
                "not_found", 404, "No such resource", "Check the path; /openapi.json lists all."};
        case ProblemCode::order_not_found:
            return {"order_not_found", 404, "No such order", "Check the order id."};
        case ProblemCode::dead_letter_not_found:
            return {
                "dead_letter_not_found",
                404,
                "No such dead letter",
                "Check the id; GET /api/v1/admin/dlq lists all."};
        case ProblemCode::dead_letter_busy:
            return {
                "dead_letter_busy",
                409,
                "The dead letter cannot be changed now",
                "It is being tried at this moment, or is resolved or discarded already. Look at "
                "its `status`; while it is `retrying`, ask again in half a minute."};
        case ProblemCode::redrive_running:
            return {
                "redrive_running",
                409,
                "Another redrive is running",
                "Wait until it is done, or cancel it: GET /api/v1/admin/dlq/redrive lists all."};
        case ProblemCode::redrive_not_found:
            return {
                "redrive_not_found",
                404,
                "No such redrive",
                "Check the task; GET /api/v1/admin/dlq/redrive lists all."};
        case ProblemCode::redrive_ended:
            return {
                "redrive_ended",
                409,
                "The redrive has ended already",
                "Nothing is left to cancel; what it moved is due and is being tried."};
        case ProblemCode::method_not_allowed:
            return {
                "method_not_allowed",
                405,
                "This resource does not have that method",
                "Use one of the methods in the Allow header."};
        case ProblemCode::unauthorized:
            return {
                "unauthorized",
                401,
                "No valid credential",
                "Send Authorization: Bearer with the token; the admin token is in admin.token of "
                "the "
                "data directory, or in the file that `admin.token_file` names."};
        case ProblemCode::forbidden:
            return {
                "forbidden",
                403,
                "Not allowed",
                "This credential may not do that; use one that may, or ask for your own orders "
                "only."};
        case ProblemCode::request_timeout:
            return {
                "request_timeout",
                408,
                "The request took too long to arrive",
                "Nothing was done. Send the whole request again on a new connection."};
        case ProblemCode::expectation_failed:
            return {
                "expectation_failed",
                417,
                "Unknown expectation",
                "Send Expect: 100-continue, or no Expect header."};
        case ProblemCode::version_not_supported:
            return {
                "version_not_supported",
                505,
                "HTTP version not supported",
                "Send the request as HTTP/1.1."};
        case ProblemCode::rate_limited:
            return {
                "rate_limited",
                429,
                "Too many requests",
                "Nothing was done. Wait as long as Retry-After says, then ask again, more "
                "slowly."};
        case ProblemCode::please_wait:
            return {
                "please_wait",
                503,
                "Please wait",
                "Nothing was done. Wait as long as Retry-After says, then ask again with the same "
                "Idempotency-Key."};
        case ProblemCode::outcome_unknown:
            return {
                "outcome_unknown",
                504,
                "The outcome is not known yet",
                "The request may have succeeded. Ask again with the same Idempotency-Key to get "
                "the true outcome; without one, look at your orders first."};
        case ProblemCode::internal:
            return {
                "internal",
                500,
                "Our mistake",
                "Ask again with the same Idempotency-Key; if it stays, report the traceId."};
    }
    FC_UNREACHABLE();
}

/// What a buyer who waits is told, how long at least, and by how much that is spread.
struct WaitRow {
    std::string_view message;
    seconds wait;
    seconds spread;
};

WaitRow wait_row_of(WaitReason why) {
    switch (why) {
        case WaitReason::overloaded:
        case WaitReason::deadline_passed:
            return {
                "Many people are ordering right now. Please wait a moment and try again. / "
                "지금 주문이 많이 몰려 대기 중입니다. 잠시만 기다렸다가 다시 시도해 주세요.",
                seconds{1},
                seconds{2}};
        case WaitReason::draining:
            return {
                "The service is restarting. Please wait a moment and try again. / "
                "서비스를 다시 시작하는 중입니다. 잠시만 대기했다가 다시 시도해 주세요.",
                seconds{1},
                seconds{4}};
        case WaitReason::rebuilding:
            return {
                "We are checking the stock so that nothing is sold twice. Please wait a moment and "
                "try again. / 재고를 다시 확인하는 중입니다. 잠시만 대기했다가 다시 시도해 주세요.",
                seconds{1},
                seconds{4}};
        case WaitReason::breaker_open:
        case WaitReason::storage_unavailable:
            return {
                "We cannot take orders for a moment; nothing was ordered yet. Please wait and try "
                "again. / 지금은 주문을 받을 수 없어 대기 중입니다. 잠시 후 다시 시도해 주세요.",
                seconds{2},
                seconds{4}};
        case WaitReason::storage_full:
            return {
                "We cannot take orders right now and are working on it. Please wait and try again "
                "later. / 지금은 주문을 받을 수 없어 조치하고 있습니다. 대기 후 다시 시도해 "
                "주세요.",
                seconds{10},
                seconds{20}};
    }
    FC_UNREACHABLE();
}

/// What every body of a code begins with: up to the code, and further with the row's own detail.
struct Opening {
    std::string with_detail;
    std::size_t size_before_detail = 0;
};

std::array<Opening, problem_code_count> make_openings() {
    std::array<Opening, problem_code_count> openings;
    for (std::size_t at = 0; at < openings.size(); ++at) {
        const ProblemRow& known = row(static_cast<ProblemCode>(at));
        std::string& text = openings[at].with_detail;
        text = R"({"type":"/problems/)";
        text += known.code;
        text += R"(","title":)";
        append_json_string(text, known.title);
        text += R"(,"status":)";
        append_integer(text, known.status);
        text += R"(,"code":")";
        text += known.code;
        text += R"(","detail":)";
        openings[at].size_before_detail = text.size();
        append_json_string(text, known.detail);
    }
    return openings;
}

void append_opening(std::string& out, const Problem& problem) {
    static const std::array<Opening, problem_code_count> openings = make_openings();
    const Opening& opening = openings[static_cast<std::size_t>(problem.code)];
    if (problem.detail.empty()) {
        out += opening.with_detail;
        return;
    }
    out.append(opening.with_detail, 0, opening.size_before_detail);
    append_json_string(out, problem.detail);
}

void append_member(std::string& out, std::string_view name, std::int64_t value) {
    out += name;
    append_integer(out, value);
}

void append_members(std::string& out, const domain::Rejected& rejected) {
    switch (rejected.why) {
        case domain::Rejection::sold_out:
        case domain::Rejection::insufficient_stock:
            append_member(out, R"(,"remaining":)", rejected.remaining);
            return;
        case domain::Rejection::user_limit_exceeded:
            append_member(out, R"(,"limit":)", rejected.limit);
            append_member(out, R"(,"used":)", rejected.used);
            return;
        case domain::Rejection::sale_not_open:
            out += R"(,"opensAt":)";
            append_timestamp(out, rejected.at);
            return;
        case domain::Rejection::sale_closed:
            out += R"(,"closedAt":)";
            append_timestamp(out, rejected.at);
            return;
        case domain::Rejection::idempotency_key_reused:
            out += R"(,"differs":[)";
            if (rejected.item_differs) out += R"("itemId")";
            if (rejected.item_differs && rejected.quantity_differs) out += ',';
            if (rejected.quantity_differs) out += R"("quantity")";
            out += ']';
            return;
        case domain::Rejection::item_not_found:
        case domain::Rejection::idempotency_in_progress: return;
    }
    FC_UNREACHABLE();
}

void append_members(std::string& out, const domain::StockRejected& rejected) {
    switch (rejected.why) {
        case domain::StockRejection::below_committed:
            append_member(out, R"(,"committed":)", rejected.committed);
            append_member(out, R"(,"total":)", rejected.total);
            return;
        case domain::StockRejection::item_not_found:
        case domain::StockRejection::total_too_large:
        case domain::StockRejection::window_invalid:
        case domain::StockRejection::idempotency_key_reused: return;
    }
    FC_UNREACHABLE();
}

void append_members(std::string& out, const InputErrors& errors) {
    out += R"(,"errors":[)";
    for (const InputError& error : errors) {
        if (&error != errors.data()) out += ',';
        out += R"({"pointer":)";
        append_json_string(out, error.pointer);
        out += R"(,"code":")";
        out += name(error.code);
        out += R"("})";
    }
    out += ']';
}

void append_members(std::string& out, WaitReason why) {
    out += R"(,"reason":")";
    out += name(why);
    out += R"(","message":)";
    append_json_string(out, wait_row_of(why).message);
}

void append_members(std::string& out, const RateLimited& limit) {
    out += R"(,"violatedPolicies":[)";
    append_json_string(out, limit.policy);
    out += ']';
}

void append_rate_limit_headers(std::string& out, const RateLimited& limit, seconds retry_after) {
    out += "RateLimit-Policy: \"";
    out += limit.policy;
    out += "\";q=";
    append_unsigned(out, limit.quota);
    out += ";w=";
    append_integer(out, limit.window.count());
    out += "\r\nRateLimit: \"";
    out += limit.policy;
    out += "\";r=0;t=";
    append_integer(out, retry_after.count());
    out += "\r\n";
}

/// Header lines a code always has, whatever its members.
std::string_view fixed_headers_of(ProblemCode code) {
    switch (code) {
        case ProblemCode::idempotency_key_missing:
        case ProblemCode::idempotency_key_invalid:
            return "Link: </openapi.json>; rel=\"describedby\"; type=\"application/json\"\r\n";
        case ProblemCode::unsupported_media_type: return "Accept: application/json\r\n";
        case ProblemCode::unauthorized: return "WWW-Authenticate: Bearer realm=\"firstcome\"\r\n";
        case ProblemCode::forbidden:
            return "WWW-Authenticate: Bearer realm=\"firstcome\", error=\"insufficient_scope\"\r\n";
        case ProblemCode::outcome_unknown: return "Firstcome-Should-Retry: true\r\n";
        case ProblemCode::sold_out:
        case ProblemCode::insufficient_stock:
        case ProblemCode::user_limit_exceeded:
        case ProblemCode::sale_not_open:
        case ProblemCode::sale_closed:
        case ProblemCode::item_not_found:
        case ProblemCode::idempotency_key_reused:
        case ProblemCode::idempotency_in_progress:
        case ProblemCode::below_committed:
        case ProblemCode::total_too_large:
        case ProblemCode::window_invalid:
        case ProblemCode::validation_failed:
        case ProblemCode::malformed_request:
        case ProblemCode::headers_too_large:
        case ProblemCode::uri_too_long:
        case ProblemCode::payload_too_large:
        case ProblemCode::not_found:
        case ProblemCode::order_not_found:
        case ProblemCode::dead_letter_not_found:
        case ProblemCode::dead_letter_busy:
        case ProblemCode::redrive_running:
        case ProblemCode::redrive_not_found:
        case ProblemCode::redrive_ended:
        case ProblemCode::method_not_allowed:
        case ProblemCode::request_timeout:
        case ProblemCode::expectation_failed:
        case ProblemCode::version_not_supported:
        case ProblemCode::rate_limited:
        case ProblemCode::please_wait:
        case ProblemCode::internal: return {};
    }
    FC_UNREACHABLE();
}

/// Whole seconds from the decision to the opening, at least one: a buyer told 0 would ask at once.
seconds until_open(const domain::Rejected& rejected) {
    return std::max(seconds{1}, std::chrono::ceil<seconds>(rejected.at - rejected.decided_at));
}

}  // namespace

const ProblemRow& row(ProblemCode code) {
    static const std::array<ProblemRow, problem_code_count> rows = [] {
        std::array<ProblemRow, problem_code_count> made;
        for (std::size_t at = 0; at < made.size(); ++at) {
            made[at] = row_of(static_cast<ProblemCode>(at));
        }
        return made;
    }();
    return rows[static_cast<std::size_t>(code)];
}

std::string_view name(WaitReason why) {
    switch (why) {
        case WaitReason::overloaded: return "overloaded";
        case WaitReason::draining: return "draining";
        case WaitReason::rebuilding: return "rebuilding";
        case WaitReason::breaker_open: return "breaker_open";
        case WaitReason::storage_unavailable: return "storage_unavailable";
        case WaitReason::storage_full: return "storage_full";
        case WaitReason::deadline_passed: return "deadline_passed";
    }
    FC_UNREACHABLE();
}

ProblemCode problem_code(domain::Rejection why) {
    switch (why) {
        case domain::Rejection::sold_out: return ProblemCode::sold_out;
        case domain::Rejection::insufficient_stock: return ProblemCode::insufficient_stock;
        case domain::Rejection::user_limit_exceeded: return ProblemCode::user_limit_exceeded;
        case domain::Rejection::sale_not_open: return ProblemCode::sale_not_open;
        case domain::Rejection::sale_closed: return ProblemCode::sale_closed;
        case domain::Rejection::item_not_found: return ProblemCode::item_not_found;
        case domain::Rejection::idempotency_key_reused: return ProblemCode::idempotency_key_reused;
        case domain::Rejection::idempotency_in_progress:
            return ProblemCode::idempotency_in_progress;
    }
    FC_UNREACHABLE();
}

ProblemCode problem_code(domain::StockRejection why) {
    switch (why) {
        case domain::StockRejection::below_committed: return ProblemCode::below_committed;
        case domain::StockRejection::item_not_found: return ProblemCode::item_not_found;
        case domain::StockRejection::total_too_large: return ProblemCode::total_too_large;
        case domain::StockRejection::window_invalid: return ProblemCode::window_invalid;
        case domain::StockRejection::idempotency_key_reused:
            return ProblemCode::idempotency_key_reused;
    }
    FC_UNREACHABLE();
}

Problem problem(const domain::Rejected& rejected) {
    Problem made = problem(problem_code(rejected.why));
    made.members = rejected;
    if (rejected.why == domain::Rejection::sale_not_open) made.retry_after = until_open(rejected);
    if (rejected.why == domain::Rejection::idempotency_in_progress) made.retry_after = seconds{1};
    return made;
}

Problem problem(const domain::StockRejected& rejected) {
    Problem made = problem(problem_code(rejected.why));
    made.members = rejected;
    return made;
}

Problem problem(InputErrors errors) {
    Problem made = problem(ProblemCode::validation_failed);
    made.members = std::move(errors);
    return made;
}

Problem problem(KeyError why) {
    return problem(ProblemCode::idempotency_key_invalid, detail(why));
}

Problem problem(ports::LedgerError error, std::uint64_t chance) {
    switch (error) {
        case ports::LedgerError::unavailable:
            return please_wait(WaitReason::storage_unavailable, chance);
        case ports::LedgerError::storage_full: return please_wait(WaitReason::storage_full, chance);
        case ports::LedgerError::rebuilding: return please_wait(WaitReason::rebuilding, chance);
        case ports::LedgerError::circuit_open: return please_wait(WaitReason::breaker_open, chance);
        case ports::LedgerError::backlog: return please_wait(WaitReason::overloaded, chance);
        case ports::LedgerError::deadline_passed:
            return please_wait(WaitReason::deadline_passed, chance);
        case ports::LedgerError::outcome_unknown: return problem(ProblemCode::outcome_unknown);
    }
    FC_UNREACHABLE();
}

Problem problem(ports::StoreError error, std::uint64_t chance) {
    switch (error) {
        case ports::StoreError::unavailable:
            return please_wait(WaitReason::storage_unavailable, chance);
        case ports::StoreError::corrupt: return problem(ProblemCode::internal);
    }
    FC_UNREACHABLE();
}

Problem problem(app::Shed why, std::uint64_t chance) {
    switch (why) {
        case app::Shed::overloaded: return please_wait(WaitReason::overloaded, chance);
        case app::Shed::draining: return please_wait(WaitReason::draining, chance);
        case app::Shed::too_late: return please_wait(WaitReason::deadline_passed, chance);
    }
    FC_UNREACHABLE();
}

Problem please_wait(WaitReason why, std::uint64_t chance) {
    const WaitRow wait = wait_row_of(why);
    Problem made = problem(ProblemCode::please_wait);
    const auto choices = static_cast<std::uint64_t>(wait.spread.count()) + 1;
    made.retry_after = wait.wait + seconds{chance % choices};
    made.members = why;
    return made;
}

Problem invalid_token(std::string_view sentence) {
    Problem made = problem(ProblemCode::unauthorized, sentence);
    made.members = BearerRefused{.description = sentence};
    return made;
}

Problem method_not_allowed(std::string_view allowed) {
    Problem made = problem(ProblemCode::method_not_allowed);
    made.members = AllowedMethods{allowed};
    return made;
}

Problem rate_limited(const RateLimited& limit, seconds retry_after) {
    Problem made = problem(ProblemCode::rate_limited);
    made.retry_after = std::max(seconds{1}, retry_after);
    made.members = limit;
    return made;
}

void append_problem_body(std::string& out, const Problem& problem, const ProblemContext& context) {
    append_opening(out, problem);
    out += R"(,"instance":)";
    append_json_string(out, context.instance);
    if (!context.trace_id.empty()) {
        out += R"(,"traceId":)";
        append_json_string(out, context.trace_id);
    }
    std::visit(
        Overloaded{
            [](std::monostate) {},
            [](const AllowedMethods&) {},
            [](const BearerRefused&) {},
            [&](const auto& members) { append_members(out, members); },
        },
        problem.members
    );
    out += '}';
}

void append_problem_headers(std::string& out, const Problem& problem) {
    if (problem.retry_after) {
        out += "Retry-After: ";
        append_integer(out, problem.retry_after->count());
        out += "\r\n";
    }
    if (const auto* refused = std::get_if<BearerRefused>(&problem.members)) {
        out +=
            "WWW-Authenticate: Bearer realm=\"firstcome\", error=\"invalid_token\", "
            "error_description=\"";
        out += refused->description;
        out += "\"\r\n";
    } else {
        out += fixed_headers_of(problem.code);
    }
    if (const auto* allowed = std::get_if<AllowedMethods>(&problem.members)) {
        out += "Allow: ";
        out += allowed->list;
        out += "\r\n";
    }
    if (const auto* limit = std::get_if<RateLimited>(&problem.members)) {
        append_rate_limit_headers(out, *limit, problem.retry_after.value_or(seconds{1}));
    }
}

void render(const Problem& problem, const ProblemContext& context, ProblemParts& parts) {
    parts.status = row(problem.code).status;
    parts.code = row(problem.code).code;
    parts.headers.clear();
    parts.body.clear();
    append_problem_headers(parts.headers, problem);
    append_problem_body(parts.body, problem, context);
}

ProblemParts render(const Problem& problem, const ProblemContext& context) {
    ProblemParts parts;
    render(problem, context, parts);
    return parts;
}

}  // namespace firstcome::http
