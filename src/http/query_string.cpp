// src/http/query_string.cpp - query parameters, read as strictly as a body
#include "http/query_string.hpp"

#include "base/utf8.hpp"
#include "http/cursor.hpp"
#include "http/message.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace firstcome::http {

namespace {

void add_error(InputErrors& errors, std::string_view parameter, InputErrorCode code) {
    if (errors.size() >= input_errors_max) return;
    std::string pointer;
    append_pointer_token(pointer, parameter);
    errors.push_back({std::move(pointer), code});
}

/// One `name=value`, checked and added to the query, or a mistake added to the errors.
void read_parameter(
    std::string_view text,
    std::span<const std::string_view> allowed,
    Query& query,
    InputErrors& errors
) {
    constexpr std::size_t name_size_max = 64;  // longer ones are not repeated in a pointer
    const std::size_t equals = text.find('=');
    const std::optional<std::string> name = percent_decoded(text.substr(0, equals));
    if (!name) {
        errors.push_back({"", InputErrorCode::malformed_encoding});
        return;
    }
    const auto* const known = std::find(allowed.data(), allowed.data() + allowed.size(), *name);
    if (known == allowed.data() + allowed.size()) {
        if (name->size() > name_size_max) {
            errors.push_back({"", InputErrorCode::unknown_parameter});
        } else {
            add_error(errors, *name, InputErrorCode::unknown_parameter);
        }
        return;
    }
    if (value_of(query, *known)) {
        add_error(errors, *known, InputErrorCode::duplicate_parameter);
        return;
    }
    std::optional<std::string> value = percent_decoded(
        equals == std::string_view::npos ? std::string_view{} : text.substr(equals + 1)
    );
    if (!value) {
        add_error(errors, *known, InputErrorCode::malformed_encoding);
        return;
    }
    if (value->size() > query_value_size_max) {
        add_error(errors, *known, InputErrorCode::too_long);
        return;
    }
    query.push_back({*known, *std::move(value)});
}

/// The parameter as an id; nothing when it is missing or wrong, which is then an error already.
template <typename Id>
std::optional<Id> id_of(const Query& query, std::string_view name, InputErrors& errors) {
    const std::optional<std::string_view> text = value_of(query, name);
    if (!text) return std::nullopt;
    const std::optional<Id> id = Id::from(*text);
    if (!id) add_error(errors, name, InputErrorCode::invalid_id);
    return id;
}

/// A whole number from 1; nothing: it is none.
template <typename Number>
std::optional<Number> number_of(std::string_view text) {
    Number number = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || stop != end || number < 1) return std::nullopt;
    return number;
}

}  // namespace

std::expected<Query, InputErrors> parse_query(
    std::string_view raw, std::span<const std::string_view> allowed
) {
    Query query;
    InputErrors errors;
    while (!raw.empty() && errors.size() < input_errors_max) {
        const std::size_t end = std::min(raw.find('&'), raw.size());
        if (end > 0) read_parameter(raw.substr(0, end), allowed, query, errors);
        raw.remove_prefix(std::min(end + 1, raw.size()));
    }
    if (!errors.empty()) return std::unexpected(std::move(errors));
    return query;
}

std::optional<std::string_view> value_of(const Query& query, std::string_view name) {
    for (const QueryParameter& parameter : query) {
        if (parameter.name == name) return parameter.value;
    }
    return std::nullopt;
}

std::size_t page_limit_of(const Query& query, InputErrors& errors) {
    const std::optional<std::string_view> text = value_of(query, "limit");
    if (!text) return page_limit_default;
    std::size_t limit = 0;
    const char* end = text->data() + text->size();
    const auto [stop, error] = std::from_chars(text->data(), end, limit);
    if (error == std::errc::result_out_of_range) {
        add_error(errors, "limit", InputErrorCode::out_of_range);
        return page_limit_default;
    }
    if (error != std::errc{} || stop != end) {
        add_error(errors, "limit", InputErrorCode::wrong_type);
        return page_limit_default;
    }
    if (limit < 1 || limit > page_limit_max) {
        add_error(errors, "limit", InputErrorCode::out_of_range);
        return page_limit_default;
    }
    return limit;
}

std::expected<ports::OrderQuery, InputErrors> parse_order_query(
    std::string_view raw, const domain::UserId* buyer
) {
    static constexpr std::array<std::string_view, 5> allowed{
        "userId", "itemId", "status", "limit", "cursor"};
    const std::expected<Query, InputErrors> query = parse_query(raw, allowed);
    if (!query) return std::unexpected(query.error());

    InputErrors errors;
    ports::OrderQuery wanted;
    if (buyer != nullptr) wanted.user = *buyer;
    if (buyer == nullptr && !value_of(*query, "userId")) {
        add_error(errors, "userId", InputErrorCode::required);
    }
    const auto user = id_of<domain::UserId>(*query, "userId", errors);
    if (user) wanted.user = *user;
    wanted.item = id_of<domain::ItemId>(*query, "itemId", errors);
    if (const auto status = value_of(*query, "status")) {
        wanted.status = domain::order_status_from(*status);
        if (!wanted.status) add_error(errors, "status", InputErrorCode::invalid_choice);
    }
    wanted.limit = page_limit_of(*query, errors);
    if (const auto cursor = value_of(*query, "cursor")) {
        wanted.after = parse_cursor(*cursor);
        if (!wanted.after) add_error(errors, "cursor", InputErrorCode::invalid_cursor);
    }
    if (!errors.empty()) return std::unexpected(std::move(errors));
    return wanted;
}

std::expected<DeadLetterQuery, InputErrors> parse_dead_letter_query(std::string_view raw) {
    static constexpr std::array<std::string_view, 6> allowed{
        "status", "cause", "itemId", "consumer", "limit", "cursor"};
    const std::expected<Query, InputErrors> query = parse_query(raw, allowed);
    if (!query) return std::unexpected(query.error());

    InputErrors errors;
    DeadLetterQuery wanted;
    if (const auto status = value_of(*query, "status")) {
        wanted.filter.status = ports::dead_letter_status_from(*status);
        if (!wanted.filter.status) add_error(errors, "status", InputErrorCode::invalid_choice);
    }
    if (const auto cause = value_of(*query, "cause")) {
        wanted.filter.cause = ports::cause_from(*cause);
        if (!wanted.filter.cause) add_error(errors, "cause", InputErrorCode::invalid_choice);
    }
    wanted.filter.item = id_of<domain::ItemId>(*query, "itemId", errors);
    if (const auto consumer = value_of(*query, "consumer")) {
        wanted.filter.consumer = *consumer;
        // Unlike a body's, its bytes were not looked at yet.
        const bool is_text = base::is_utf8(*consumer) && !has_nul(*consumer);
        if (!is_text) add_error(errors, "consumer", InputErrorCode::invalid_character);
    }
    wanted.limit = page_limit_of(*query, errors);
    if (const auto cursor = value_of(*query, "cursor")) {
        wanted.below = number_of<ports::DeadLetterId>(*cursor);
        if (!wanted.below) add_error(errors, "cursor", InputErrorCode::invalid_cursor);
    }
    if (!errors.empty()) return std::unexpected(std::move(errors));
    return wanted;
}

std::expected<std::optional<domain::ItemId>, InputErrors> parse_item_query(std::string_view raw) {
    static constexpr std::array<std::string_view, 1> allowed{"itemId"};
    const std::expected<Query, InputErrors> query = parse_query(raw, allowed);
    if (!query) return std::unexpected(query.error());
    InputErrors errors;
    const auto item = id_of<domain::ItemId>(*query, "itemId", errors);
    if (!errors.empty()) return std::unexpected(std::move(errors));
    return item;
}

}  // namespace firstcome::http
