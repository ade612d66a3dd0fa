// src/cli/stock.cpp - firstcome stock: look at an item, and change what a sale manager may change
#include "base/entropy.hpp"
#include "cli/api_client.hpp"
#include "cli/cli.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <memory>

namespace firstcome::cli {

namespace {

namespace json = boost::json;

struct Flags {
    ApiFlags api;
    std::string item;
    std::int64_t quantity = 0;
    std::string opens_at;
    std::string closes_at;
    std::string per_user_limit;
    std::string reason;
    std::string key;
};

constexpr std::string_view none = "none";  // clears what was set

void print_answer(const Flags& flags, const std::string& body) {
    boost::system::error_code error;
    const auto parsed = json::parse(body, error);
    const auto* figures = error ? nullptr : parsed.if_object();
    if (flags.api.json || figures == nullptr) {
        fmt::print("{}\n", flags.api.json ? body : printable(body));
        return;
    }
    for (const auto& [name, value] : *figures) {
        const std::string text = value.is_string() ? std::string{value.get_string()}
                                 : value.is_null() ? "-"
                                                   : json::serialize(value);
        fmt::print("{:<14}{}\n", printable(name), printable(text));
    }
}

int finish(const Flags& flags, const ApiCall& request) {
    const auto body = call(flags.api, request);
    if (!body) return body.error();
    print_answer(flags, *body);
    return ok;
}

std::string new_key() {
    base::SystemEntropy entropy;
    return fmt::format("cli-{:016x}{:016x}", entropy.next(), entropy.next());
}

int change(const Flags& flags, std::string_view operation) {
    json::object body{
        {"itemId", flags.item}, {"operation", operation}, {"quantity", flags.quantity}};
    const auto add_time = [&](std::string_view name, const std::string& value) {
        if (value.empty()) return;
        body[name] = value == none ? json::value(nullptr) : json::value(value);
    };
    add_time("opensAt", flags.opens_at);
    add_time("closesAt", flags.closes_at);
    if (flags.per_user_limit == none) {
        body["perUserLimit"] = nullptr;
    } else if (!flags.per_user_limit.empty()) {
        body["perUserLimit"] = std::stoll(flags.per_user_limit);  // checked by CLI11
    }
    if (!flags.reason.empty()) body["reason"] = flags.reason;
    return finish(
        flags,
        {.method = "POST",
         .path = "/api/v1/admin/stock",
         .body = json::serialize(body),
         .admin = true,
         .idempotency_key = flags.key.empty() ? new_key() : flags.key}
    );
}

int change_window(const Flags& flags) {
    if (flags.opens_at.empty() && flags.closes_at.empty()) {
        fmt::print(stderr, "firstcome: say --opens-at, --closes-at or both\n");
        return usage;
    }
    return change(flags, "add");  // of no units: only what is named changes
}

std::string check_limit(const std::string& limit) {
    const bool is_number = !limit.empty() && limit.size() <= 13 && limit != "0" &&
                           limit.find_first_not_of("0123456789") == std::string::npos;
    return is_number || limit == none ? "" : "a limit is a whole number from 1, or none";
}

class Verbs {
public:
    Verbs(CLI::App& stock, int& exit_code) : stock_(stock), exit_code_(exit_code) {}

    CLI::App& add(const char* name, const char* doc, int (*run)(const Flags&)) {
        CLI::App& verb = *stock_.add_subcommand(name, doc);
        add_api_flags(verb, flags().api);
        verb.add_option("item", flags().item, "The item's id")->required()->check(check_item);
        verb.callback([flags = flags_, run, &exit_code = exit_code_] { exit_code = run(*flags); });
        return verb;
    }

    CLI::App& add_change(const char* name, const char* doc, int (*run)(const Flags&)) {
        CLI::App& verb = add(name, doc, run);
        verb.add_option("--reason", flags().reason, "For the audit trail");
        verb.add_option(
            "--key", flags().key, "Idempotency key; repeating a change with it is harmless"
        );
        return verb;
    }

    CLI::App& add_units(const char* name, const char* doc, int (*run)(const Flags&)) {
        CLI::App& verb = add_change(name, doc, run);
        verb.add_option("quantity", flags().quantity, "Units")
            ->required()
            ->check(CLI::Range(std::int64_t{0}, std::int64_t{1'000'000'000'000}));
        add_window(verb);
        verb.add_option("--per-user-limit", flags().per_user_limit, "Units one user may have")
            ->check(check_limit)
            ->type_name("UNITS|none");
        return verb;
    }

    void add_window(CLI::App& verb) {
        const char* const form = "RFC3339|none";  // 2025-12-24T18:00:00+09:00
        verb.add_option("--opens-at", flags().opens_at, "From when orders are taken")
            ->type_name(form);
        verb.add_option("--closes-at", flags().closes_at, "Until when orders are taken")
            ->type_name(form);
    }

    [[nodiscard]] Flags& flags() { return *flags_; }

private:
    CLI::App& stock_;
    int& exit_code_;  // outlives
    std::shared_ptr<Flags> flags_ = std::make_shared<Flags>();
};

}  // namespace

void add_stock(CLI::App& app, int& exit_code) {
    CLI::App& stock = *app.add_subcommand("stock", "Look at an item's stock, or change it");
    stock.require_subcommand(1);
    Verbs verbs{stock, exit_code};
    verbs.add("get", "Print an item's figures", [](const Flags& flags) {
        return finish(flags, {.method = "GET", .path = "/api/v1/orders/stock/" + flags.item});
    });
    verbs.add_units("set", "Set the units an item has in all", [](const Flags& flags) {
        return change(flags, "set");
    });
    verbs.add_units("add", "Add units", [](const Flags& flags) { return change(flags, "add"); });
    verbs.add_units("remove", "Take unsold units away", [](const Flags& flags) {
        return change(flags, "remove");
    });
    verbs.add_window(verbs.add_change("window", "Say when orders are taken", change_window));
    verbs
        .add_change(
            "limit",
            "Say how many units one user may have",
            [](const Flags& flags) { return change(flags, "add"); }
        )
        .add_option("units", verbs.flags().per_user_limit, "Units, or none")
        ->required()
        ->check(check_limit);
}

}  // namespace firstcome::cli
