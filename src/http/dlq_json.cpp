// src/http/dlq_json.cpp - dead letters: JSON in, JSON out
#include "http/dlq_json.hpp"

#include "http/json.hpp"
#include "http/json_reader.hpp"
#include "http/order_json.hpp"
#include "http/stock_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

namespace firstcome::http {

namespace {

using Kind = JsonValue::Kind;

constexpr std::size_t consumer_size_max = 64;

std::size_t character_count(std::string_view utf8) {
    return static_cast<std::size_t>(std::ranges::count_if(utf8, [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    }));
}

/// `{reason}`
class DiscardForm {
public:
    bool open_object() {
        if (!std::exchange(inside_, true)) return true;
        value({.kind = Kind::object});
        return false;
    }

    bool open_array() {
        value({.kind = Kind::array});
        return false;
    }

    void close_object() { members_.require_first(names.size(), {}, errors); }

    void close_array() {}

    void key(std::string_view member) { at_ = members_.take(member, {}, errors); }

    void value(const JsonValue& value) {
        if (!inside_) return add_error(errors, "", InputErrorCode::wrong_type);
        if (at_ == Members::none) return;
        if (value.kind != Kind::string) return reject(InputErrorCode::wrong_type);
        const std::size_t characters = character_count(value.text);
        if (characters == 0) return reject(InputErrorCode::required);
        if (characters > reason_characters_max) return reject(InputErrorCode::too_long);
        if (has_nul(value.text)) return reject(InputErrorCode::invalid_character);
        reason = value.text;
    }

    [[nodiscard]] std::string pointer() const {
        return at_ == Members::none ? std::string{} : Place{}.pointer(names[at_]);
    }

    std::string reason;
    InputErrors errors;

private:
    static constexpr std::array<std::string_view, 1> names{"reason"};

    void reject(InputErrorCode code) { add_error(errors, pointer(), code); }

    bool inside_ = false;
    Members members_{names};
    std::size_t at_ = Members::none;
};

/// `{filter:{cause,itemId,consumer},maxPerSecond}`
class RedriveForm {
public:
    bool open_object() {
        if (level_ == Level::outside) {
            level_ = Level::body;
            return true;
        }
        if (level_ == Level::body && at_ == filter) {
            level_ = Level::filter;
            return true;
        }
        value({.kind = Kind::object});
        return false;
    }

    bool open_array() {
        value({.kind = Kind::array});
        return false;
    }

    void close_object() { level_ = level_ == Level::filter ? Level::body : Level::outside; }

    void close_array() {}

    void key(std::string_view member) {
        if (level_ == Level::body) {
            at_ = members_.take(member, {}, errors);
            return;
        }
        filter_at_ = filter_members_.take(member, {}, filter_errors_);
        // A form's places know lists only; the filter's members stand below "/filter".
        for (InputError& error : filter_errors_) {
            add_error(errors, "/filter" + error.pointer, error.code);
        }
        filter_errors_.clear();
    }

    void value(const JsonValue& value) {
        switch (level_) {
            case Level::outside: return add_error(errors, "", InputErrorCode::wrong_type);
            case Level::body:
                if (at_ == per_second) set_per_second(value);
                if (at_ == filter) reject(InputErrorCode::wrong_type);
                return;
            case Level::filter: return set_filter(value);
        }
        FC_UNREACHABLE();
    }

    [[nodiscard]] std::string pointer() const {
        if (at_ == Members::none) return {};
        std::string text = Place{}.pointer(names[at_]);
        if (level_ != Level::filter || filter_at_ == Members::none) return text;
        return text + Place{}.pointer(filter_names[filter_at_]);
    }

    RedriveRequest request;
    InputErrors errors;

private:
    enum class Level : std::uint8_t { outside, body, filter };

    enum : std::size_t { filter, per_second };

    enum : std::size_t { cause, item_id, consumer };

    static constexpr std::array<std::string_view, 2> names{"filter", "maxPerSecond"};
    static constexpr std::array<std::string_view, 3> filter_names{"cause", "itemId", "consumer"};

    void reject(InputErrorCode code) { add_error(errors, pointer(), code); }

    void set_per_second(const JsonValue& value) {
        if (value.kind == Kind::huge_integer) return reject(InputErrorCode::out_of_range);
        if (value.kind != Kind::integer) return reject(InputErrorCode::wrong_type);
        if (value.integer < 1 || value.integer > redrive_per_second_max) {
            return reject(InputErrorCode::out_of_range);
        }
        request.per_second = static_cast<unsigned>(value.integer);
    }

    void set_filter(const JsonValue& value) {
        if (filter_at_ == Members::none) return;
        if (filter_at_ == item_id) {
            const auto id = id_of<domain::ItemId>(value);
            if (!id) return reject(id.error());
            request.filter.item = *id;
            return;
        }
        if (value.kind != Kind::string) return reject(InputErrorCode::wrong_type);
        if (filter_at_ == consumer) {
            if (value.text.size() > consumer_size_max) return reject(InputErrorCode::too_long);
            if (has_nul(value.text)) return reject(InputErrorCode::invalid_character);
            request.filter.consumer = value.text;
            return;
        }
        request.filter.cause = ports::cause_from(value.text);
        if (!request.filter.cause) reject(InputErrorCode::invalid_choice);
    }

    Level level_ = Level::outside;
    Members members_{names};
    Members filter_members_{filter_names};
    InputErrors filter_errors_;
    std::size_t at_ = Members::none;
    std::size_t filter_at_ = Members::none;
};

void append_quoted(std::string& out, std::string_view name, std::string_view plain) {
    fmt::format_to(std::back_inserter(out), R"("{}":"{}",)", name, plain);
}

void append_time(
    std::string& out, std::string_view name, const std::optional<domain::WallTime>& time
) {
    fmt::format_to(std::back_inserter(out), R"("{}":)", name);
    append_timestamp(out, time);
    out += ',';
}

bool is_about_stock(domain::EventType type) {
    return type == domain::EventType::stock_low || type == domain::EventType::stock_sold_out;
}

void append_payload(std::string& out, const domain::Event& event) {
    append_order(out, event.order);
    if (!is_about_stock(event.type)) return;
    out.pop_back();
    fmt::format_to(
        std::back_inserter(out), R"(,"remaining":{},"total":{}}})", event.remaining, event.total
    );
}

void append_filter(std::string& out, const ports::DeadLetterFilter& filter) {
    out += '{';
    if (filter.status) append_quoted(out, "status", name(*filter.status));
    if (filter.cause) append_quoted(out, "cause", name(*filter.cause));
    if (filter.item) {
        out += R"("itemId":)";
        append_id(out, filter.item->text());
        out += ',';
    }
    if (filter.consumer) {
        out += R"("consumer":)";
        append_json_string(out, *filter.consumer);
        out += ',';
    }
    if (out.back() == ',') out.pop_back();
    out += '}';
}

}  // namespace

std::expected<std::string, InputErrors> parse_discard(std::string_view body) {
    DiscardForm form;
    std::optional<InputError> unreadable = read_json(body, form);
    if (unreadable) return std::unexpected(InputErrors{*std::move(unreadable)});
    if (!form.errors.empty()) return std::unexpected(std::move(form.errors));
    return std::move(form.reason);
}

std::expected<RedriveRequest, InputErrors> parse_redrive(std::string_view body) {
    RedriveForm form;
    std::optional<InputError> unreadable = read_json(body, form);
    if (unreadable) return std::unexpected(InputErrors{*std::move(unreadable)});
    if (!form.errors.empty()) return std::unexpected(std::move(form.errors));
    return std::move(form.request);
}

void append_dead_letter(std::string& out, const ports::DeadLetter& letter) {
    const domain::Event& event = letter.event;
    fmt::format_to(std::back_inserter(out), R"({{"id":{},)", letter.id);
    append_quoted(out, "status", name(letter.status));
    append_quoted(out, "cause", name(letter.cause));
    out += R"("consumer":)";
    append_json_string(out, letter.consumer);
    out += ',';
    append_quoted(out, "eventId", event.id.text());
    append_quoted(out, "eventType", name(event.type));
    append_quoted(out, "orderId", event.order.id.text());
    out += R"("itemId":)";
    append_id(out, event.order.item.text());
    fmt::format_to(std::back_inserter(out), R"(,"attempts":{},)", letter.attempts);
    append_time(out, "firstFailure", letter.first_failure);
    append_time(out, "lastFailure", letter.last_failure);
    append_time(out, "nextAttempt", letter.next_attempt);
    out += R"("lastError":)";
    append_json_string(out, letter.last_error);
    if (event.trace.trace_high == 0 && event.trace.trace_low == 0) {
        out += R"(,"traceId":null)";
    } else {
        fmt::format_to(
            std::back_inserter(out),
            R"(,"traceId":"{:016x}{:016x}")",
            event.trace.trace_high,
            event.trace.trace_low
        );
    }
    out += R"(,"payload":)";
    append_payload(out, event);
    out += '}';
}

void append_dead_letter_page(
    std::string& out,
    const ports::DeadLetterPage& page,
    const ports::DeadLetterTotals& totals,
    domain::WallTime now
) {
    out += R"({"entries":[)";
    for (const ports::DeadLetter& letter : page.entries) {
        if (&letter != page.entries.data()) out += ',';
        append_dead_letter(out, letter);
    }
    fmt::format_to(std::back_inserter(out), R"(],"total":{},"oldestAgeSeconds":)", page.total);
    if (totals.oldest) {
        const auto age = std::chrono::floor<std::chrono::seconds>(now - *totals.oldest).count();
        append_integer(out, std::max<std::int64_t>(age, 0));
    } else {
        out += "null";
    }
    out += R"(,"byCause":{)";
    for (const ports::Cause cause : ports::causes) {
        const auto counted = totals.by_cause.find(cause);
        fmt::format_to(
            std::back_inserter(out),
            R"({}"{}":{})",
            cause == ports::causes.front() ? "" : ",",
            name(cause),
            counted == totals.by_cause.end() ? 0 : counted->second
        );
    }
    out += R"(},"nextCursor":)";
    out += page.next ? fmt::format(R"("{}"}})", *page.next) : "null}";
}

void append_redrive(std::string& out, const ports::RedriveTask& task) {
    fmt::format_to(std::back_inserter(out), R"({{"task":{},)", task.id);
    append_quoted(out, "status", task.status);
    out += R"("filter":)";
    append_filter(out, task.filter);
    fmt::format_to(
        std::back_inserter(out),
        R"(,"maxPerSecond":{},"moved":{},"total":{},)",
        task.per_second,
        task.moved,
        task.total
    );
    append_time(out, "startedAt", task.started_at);
    append_time(out, "endedAt", task.ended_at);
    out.back() = '}';
}

void append_redrives(std::string& out, std::span<const ports::RedriveTask> tasks) {
    out += R"({"tasks":[)";
    for (const ports::RedriveTask& task : tasks) {
        if (&task != tasks.data()) out += ',';
        append_redrive(out, task);
    }
    out += "]}";
}

}  // namespace firstcome::http
