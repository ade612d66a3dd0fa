// src/cli/dlq.cpp - firstcome dlq: look at what could not be delivered, and decide about it
#include "cli/api_client.hpp"
#include "cli/cli.hpp"
#include "cli/stats_table.hpp"
#include "ports/dead_letters.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firstcome::cli {

namespace {

namespace json = boost::json;

constexpr std::string_view dlq_path = "/api/v1/admin/dlq";

struct Flags {
    ApiFlags api;
    std::int64_t id = 0;
    std::string status;
    std::string cause;
    std::string item;
    std::string consumer;
    unsigned limit = 20;
    std::string cursor;
    std::string reason;
    unsigned per_second = 10;
};

/// What the server sent, made shorter for people; nothing: not of that form.
using Shorten = std::optional<json::object> (*)(const json::object& answer);

std::optional<json::object> whole(const json::object& answer) {
    return answer;
}

/// The members that fit on a line, in this order.
json::object some_of(const json::object& row, std::initializer_list<std::string_view> names) {
    json::object kept;
    for (const std::string_view name : names) {
        if (const auto* value = row.if_contains(name)) kept[name] = *value;
    }
    return kept;
}

std::string shortened(std::string_view text) {
    constexpr std::size_t shown_max = 60;
    if (text.size() <= shown_max) return std::string(text);
    std::size_t end = shown_max;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    return std::string(text.substr(0, end)) + "...";
}

std::optional<json::object> short_page(const json::object& answer) {
    const auto* entries = answer.if_contains("entries");
    if (entries == nullptr || !entries->is_array()) return std::nullopt;
    json::object page = answer;
    json::array rows;
    for (const json::value& entry : entries->get_array()) {
        if (!entry.is_object()) return std::nullopt;
        auto& row = rows.emplace_back(some_of(
            entry.get_object(),
            {"id",
             "status",
             "cause",
             "consumer",
             "eventType",
             "itemId",
             "orderId",
             "attempts",
             "firstFailure",
             "nextAttempt",
             "lastError"}
        ));
        auto* error = row.get_object().if_contains("lastError");
        if (error != nullptr && error->is_string()) *error = shortened(error->get_string());
    }
    page["entries"] = std::move(rows);
    return page;
}

/// `cause=invalid itemId=shoe`; `all` when there is none.
std::string spoken_filter(const json::value& filter) {
    std::string text;
    if (!filter.is_object()) return "-";
    for (const auto& [name, value] : filter.get_object()) {
        if (!text.empty()) text += ' ';
        text += std::string(name) + "=";
        text += value.is_string() ? std::string(value.get_string()) : json::serialize(value);
    }
    return text.empty() ? "all" : text;
}

std::optional<json::object> short_task(const json::object& answer) {
    json::object task = answer;
    if (auto* filter = task.if_contains("filter")) *filter = spoken_filter(*filter);
    return task;
}

std::optional<json::object> short_tasks(const json::object& answer) {
    const auto* tasks = answer.if_contains("tasks");
    if (tasks == nullptr || !tasks->is_array()) return std::nullopt;
    json::array rows;
    for (const json::value& task : tasks->get_array()) {
        if (!task.is_object()) return std::nullopt;
        rows.emplace_back(*short_task(task.get_object()));
    }
    return json::object{{"tasks", std::move(rows)}};
}

int finish(const Flags& flags, const ApiCall& request, Shorten shorten, std::string_view none) {
    const auto body = call(flags.api, request);
    if (!body) return body.error();
    if (flags.api.json) {
        fmt::print("{}\n", *body);
        return ok;
    }
    boost::system::error_code error;
    const auto parsed = json::parse(*body, error);
    const auto* answer = error ? nullptr : parsed.if_object();
    const auto shown = answer == nullptr ? std::nullopt : shorten(*answer);
    const auto table = shown ? stats_table(json::serialize(*shown)) : std::nullopt;
    if (!table) {
        fmt::print(stderr, "firstcome: the answer is not what was asked for\n");
        return failed;
    }
    fmt::print("{}", table->empty() ? none : std::string_view(*table));
    return std::fflush(stdout) == 0 ? ok : failed;
}

ApiCall admin_call(std::string_view method, std::string path, const json::object& body = {}) {
    return {
        .method = std::string(method),
        .path = std::string(dlq_path) + path,
        .body = body.empty() ? std::string{} : json::serialize(body),
        .admin = true};
}

std::string entry_path(const Flags& flags, std::string_view command) {
    return fmt::format("/{}{}", flags.id, command);
}

// Every value was checked to need no escapes.
int list(const Flags& flags) {
    std::string query = fmt::format("?limit={}", flags.limit);
    const auto add = [&](std::string_view name, const std::string& value) {
        if (!value.empty()) query += fmt::format("&{}={}", name, value);
    };
    add("status", flags.status);
    add("cause", flags.cause);
    add("itemId", flags.item);
    add("consumer", flags.consumer);
    add("cursor", flags.cursor);
    return finish(flags, admin_call("GET", query), short_page, {});
}

int show(const Flags& flags) {
    return finish(flags, admin_call("GET", entry_path(flags, "")), whole, {});
}

int retry(const Flags& flags) {
    return finish(flags, admin_call("POST", entry_path(flags, "/retry")), whole, {});
}

int discard(const Flags& flags) {
    const json::object body{{"reason", flags.reason}};
    return finish(flags, admin_call("POST", entry_path(flags, "/discard"), body), whole, {});
}

int redrive(const Flags& flags) {
    json::object filter;
    if (!flags.cause.empty()) filter["cause"] = flags.cause;
    if (!flags.item.empty()) filter["itemId"] = flags.item;
    if (!flags.consumer.empty()) filter["consumer"] = flags.consumer;
    const json::object body{{"filter", std::move(filter)}, {"maxPerSecond", flags.per_second}};
    return finish(flags, admin_call("POST", "/redrive", body), short_task, {});
}

int tasks(const Flags& flags) {
    return finish(flags, admin_call("GET", "/redrive"), short_tasks, "no redrive yet\n");
}

int cancel(const Flags& flags) {
    const auto path = fmt::format("/redrive/{}", flags.id);
    return finish(flags, admin_call("DELETE", path), short_task, {});
}

class Verbs {
public:
    Verbs(CLI::App& dlq, int& exit_code) : dlq_(dlq), exit_code_(exit_code) {}

    CLI::App& add(const char* name, const char* doc, int (*run)(const Flags&)) {
        CLI::App& verb = *dlq_.add_subcommand(name, doc);
        add_api_flags(verb, flags_->api);
        verb.callback([flags = flags_, run, &exit_code = exit_code_] { exit_code = run(*flags); });
        return verb;
    }

    CLI::App& add_of_one(
        const char* name, const char* doc, const char* what, int (*run)(const Flags&)
    ) {
        CLI::App& verb = add(name, doc, run);
        verb.add_option("id", flags_->id, what)
            ->required()
            ->check(CLI::Range(std::int64_t{1}, std::numeric_limits<std::int64_t>::max()))
            ->type_name("ID");
        return verb;
    }

    void add_filter(CLI::App& verb) {
        std::vector<std::string> causes;
        for (const ports::Cause cause : ports::causes) causes.emplace_back(name(cause));
        verb.add_option("--cause", flags_->cause, "Only of this cause")
            ->check(CLI::IsMember(causes));
        verb.add_option("--item", flags_->item, "Only of this item")->check(check_item);
        verb.add_option("--consumer", flags_->consumer, "Only of this one: orders, webhook")
            ->check(check_item);
    }

    void add_list() {
        CLI::App& verb = add("list", "Print dead letters, newest first", list);
        add_filter(verb);
        verb.add_option("--status", flags_->status, "Only of this status")
            ->check(CLI::IsMember({"retrying", "dead", "resolved", "discarded"}));
        verb.add_option("--limit", flags_->limit, "Entries on a page")
            ->check(CLI::Range(1, 100))
            ->capture_default_str();
        verb.add_option("--cursor", flags_->cursor, "nextCursor of the page before")
            ->check(check_item);
    }

    void add_discard() {
        CLI::App& verb = add_of_one(
            "discard",
            "Give one up; of consumer orders: its units go back, once",
            "The entry",
            discard
        );
        verb.add_option("--reason", flags_->reason, "For the audit trail")->required();
    }

    void add_redrive() {
        CLI::App& verb = add("redrive", "Try all that are dead again, slowly", redrive);
        add_filter(verb);
        verb.add_option("--per-second", flags_->per_second, "Entries a second at most")
            ->check(CLI::Range(1, 1000))
            ->capture_default_str();
    }

private:
    CLI::App& dlq_;
    int& exit_code_;  // outlives
    std::shared_ptr<Flags> flags_ = std::make_shared<Flags>();
};

}  // namespace

void add_dlq(CLI::App& app, int& exit_code) {
    CLI::App& dlq = *app.add_subcommand("dlq", "Look at dead letters, and decide about them");
    dlq.require_subcommand(1);
    Verbs verbs{dlq, exit_code};
    verbs.add_list();
    verbs.add_of_one("show", "Print one entry", "The entry", show);
    verbs.add_of_one("retry", "Try one again now, with fresh attempts", "The entry", retry);
    verbs.add_discard();
    verbs.add_redrive();
    verbs.add("tasks", "Print the redrives, newest first", tasks);
    verbs.add_of_one("cancel", "Cancel a redrive", "The task", cancel);
}

}  // namespace firstcome::cli
