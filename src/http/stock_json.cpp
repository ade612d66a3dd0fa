// src/http/stock_json.cpp - stock: JSON in, JSON out
#include "http/stock_json.hpp"

#include "http/json.hpp"
#include "http/json_reader.hpp"
#include "http/timestamp.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace firstcome::http {

namespace {

using Kind = JsonValue::Kind;

constexpr std::array<std::string_view, 7> stock_members{
    "itemId", "operation", "quantity", "opensAt", "closesAt", "perUserLimit", "reason"};

enum : std::size_t {
    item_id,
    operation,
    quantity,
    opens_at,
    closes_at,
    per_user_limit,
    reason,
    required_count = 3
};

std::size_t character_count(std::string_view utf8) {
    return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    }));
}

class StockForm {
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

    void close_object() { members_.require_first(required_count, {}, errors); }

    void close_array() {}

    void key(std::string_view member) { at_ = members_.take(member, {}, errors); }

    void value(const JsonValue& value) {
        if (!inside_) return add_error(errors, "", InputErrorCode::wrong_type);
        switch (at_) {
            case item_id: set_item(value); break;
            case operation: set_operation(value); break;
            case quantity: set_quantity(value); break;
            case opens_at: set_time(change.opens_at, value); break;
            case closes_at: set_time(change.closes_at, value); break;
            case per_user_limit: set_limit(value); break;
            case reason: set_reason(value); break;
            default: break;  // Members::none: already reported
        }
    }

    [[nodiscard]] std::string pointer() const {
        return at_ == Members::none ? std::string{} : Place{}.pointer(stock_members[at_]);
    }

    domain::StockChange change;
    InputErrors errors;

private:
    void reject(InputErrorCode code) { add_error(errors, pointer(), code); }

    void set_item(const JsonValue& value) {
        const std::expected<domain::ItemId, InputErrorCode> id = id_of<domain::ItemId>(value);
        if (!id) return reject(id.error());
        change.item = *id;
    }

    void set_operation(const JsonValue& value) {
        if (value.kind != Kind::string) return reject(InputErrorCode::wrong_type);
        const auto known = domain::stock_operation_from(value.text);
        if (!known) return reject(InputErrorCode::invalid_choice);
        change.operation = *known;
    }

    std::optional<domain::Units> units_of(const JsonValue& value, domain::Units min) {
        if (value.kind != Kind::integer && value.kind != Kind::huge_integer) {
            reject(InputErrorCode::wrong_type);
            return std::nullopt;
        }
        const bool is_within = value.kind == Kind::integer && value.integer >= min &&
                               value.integer <= domain::stock_units_max;
        if (!is_within) {
            reject(InputErrorCode::out_of_range);
            return std::nullopt;
        }
        return value.integer;
    }

    void set_quantity(const JsonValue& value) {
        const std::optional<domain::Units> units = units_of(value, 0);
        if (units) change.quantity = *units;
    }

    void set_limit(const JsonValue& value) {
        if (value.kind == Kind::null) {
            change.per_user_limit.emplace(std::nullopt);
            return;
        }
        const std::optional<domain::Units> units = units_of(value, 1);
        if (units) change.per_user_limit.emplace(units);
    }

    void set_time(std::optional<std::optional<domain::WallTime>>& field, const JsonValue& value) {
        if (value.kind == Kind::null) {
            field.emplace(std::nullopt);
            return;
        }
        if (value.kind != Kind::string) return reject(InputErrorCode::wrong_type);
        const std::optional<domain::WallTime> time = parse_timestamp(value.text);
        if (!time) return reject(InputErrorCode::invalid_timestamp);
        field.emplace(time);
    }

    void set_reason(const JsonValue& value) {
        if (value.kind != Kind::string) return reject(InputErrorCode::wrong_type);
        if (character_count(value.text) > reason_characters_max) {
            return reject(InputErrorCode::too_long);
        }
        if (has_nul(value.text)) return reject(InputErrorCode::invalid_character);
        change.reason = value.text;
    }

    bool inside_ = false;
    Members members_{stock_members};
    std::size_t at_ = Members::none;
};

void append_member(std::string& out, std::string_view name, std::int64_t value) {
    out += name;
    append_integer(out, value);
}

// `own`: of the item's figures; `between`: of its stores, null when they agree.
void append_drift(
    std::string& out,
    const domain::ItemId& item,
    domain::Units own,
    const ports::StoreDrift* between
) {
    if (out.back() != '[') out += ',';
    out += R"({"itemId":)";
    append_id(out, item.text());
    append_member(out, R"(,"drift":)", own + (between == nullptr ? 0 : between->units));
    if (between != nullptr) {
        out += R"(,"difference":)";
        append_json_string(out, between->what);
    }
    out += '}';
}

}  // namespace

std::expected<domain::StockChange, InputErrors> parse_stock_change(std::string_view body) {
    StockForm form;
    std::optional<InputError> unreadable = read_json(body, form);
    if (unreadable) return std::unexpected(InputErrors{*std::move(unreadable)});
    if (!form.errors.empty()) return std::unexpected(std::move(form.errors));
    return std::move(form.change);
}

void append_stock(std::string& out, const domain::StockFigures& figures, Freshness freshness) {
    out += R"({"itemId":)";
    append_id(out, figures.item.text());
    append_member(out, R"(,"initial":)", figures.initial);
    append_member(out, R"(,"remaining":)", figures.remaining);
    append_member(out, R"(,"restocked":)", figures.restocked);
    append_member(out, R"(,"sold":)", figures.sold);
    append_member(out, R"(,"compensating":)", figures.compensating);
    out += R"(,"orders":)";
    append_unsigned(out, figures.orders);
    out += R"(,"opensAt":)";
    append_timestamp(out, figures.window.opens_at);
    out += R"(,"closesAt":)";
    append_timestamp(out, figures.window.closes_at);
    out += R"(,"perUserLimit":)";
    if (figures.per_user_limit) {
        append_integer(out, *figures.per_user_limit);
    } else {
        out += "null";
    }
    out += R"(,"asOf":)";
    append_timestamp(out, figures.as_of);
    out += freshness == Freshness::last_known ? R"(,"stale":true})" : "}";
}

bool append_conservation(
    std::string& out,
    std::span<const domain::StockFigures> items,
    std::span<const ports::StoreDrift> drifts
) {
    const bool ok = drifts.empty() &&
                    std::ranges::all_of(items, [](const auto& item) { return item.drift() == 0; });
    out += ok ? R"({"ok":true,"items":[)" : R"({"ok":false,"items":[)";
    for (const domain::StockFigures& item : items) {
        const auto between = std::ranges::find(drifts, item.item, &ports::StoreDrift::item);
        append_drift(out, item.item, item.drift(), between == drifts.end() ? nullptr : &*between);
    }
    for (const ports::StoreDrift& drift : drifts) {
        const auto shown = std::ranges::find(items, drift.item, &domain::StockFigures::item);
        if (shown == items.end()) append_drift(out, drift.item, 0, &drift);
    }
    out += "]}";
    return ok;
}

}  // namespace firstcome::http
