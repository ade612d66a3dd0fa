// src/http/order_json.cpp - orders: JSON in, JSON out
#include "http/order_json.hpp"

#include "base/assert.hpp"
#include "http/cursor.hpp"
#include "http/idempotency_key.hpp"
#include "http/json.hpp"
#include "http/json_reader.hpp"
#include "http/timestamp.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

namespace firstcome::http {

namespace {

using Kind = JsonValue::Kind;

constexpr std::string_view orders_path = "/api/v1/orders/";
constexpr std::size_t order_id_size = 36;  // characters of a UUID

constexpr std::array<std::string_view, 4> element_members{
    "userId", "itemId", "quantity", "idempotencyKey"};
constexpr std::span<const std::string_view> order_members{element_members.data(), 3};

enum : std::size_t { user_id, item_id, quantity, idempotency_key, required_count = 3 };

/// One order object, as a body or as an element of a batch.
class OrderFields {
public:
    /// `unescaped` keeps the keys that are not a part of the body; null where no key is a member.
    OrderFields(
        std::span<const std::string_view> members,
        Place place,
        std::int32_t quantity_max,
        const domain::UserId* buyer,
        std::deque<std::string>* unescaped
    )
        : members_(members),
          place_(place),
          quantity_max_(quantity_max),
          members_known_(buyer == nullptr ? 0 : 1),
          unescaped_(unescaped) {
        if (buyer != nullptr) order.user = *buyer;
    }

    void key(std::string_view member) { at_ = members_.take(member, place_, errors); }

    void value(const JsonValue& value) {
        switch (at_) {
            case user_id: set_id(order.user, value); break;
            case item_id: set_id(order.item, value); break;
            case quantity: set_quantity(value); break;
            case idempotency_key: set_key(value); break;
            default: break;  // Members::none: already reported
        }
    }

    void close() { members_.require_first(required_count, place_, errors, members_known_); }

    [[nodiscard]] std::string pointer() const {
        return at_ == Members::none ? place_.pointer() : place_.pointer(element_members[at_]);
    }

    domain::OrderRequest order;
    std::string_view key_text;
    InputErrors errors;

private:
    void reject(InputErrorCode code) { add_error(errors, pointer(), code); }

    template <typename Id>
    void set_id(Id& field, const JsonValue& value) {
        const std::expected<Id, InputErrorCode> id = id_of<Id>(value);
        if (!id) return reject(id.error());
        field = *id;
    }

    void set_quantity(const JsonValue& value) {
        if (value.kind == Kind::huge_integer) return reject(InputErrorCode::out_of_range);
        if (value.kind != Kind::integer) return reject(InputErrorCode::wrong_type);
        if (value.integer < 1 || value.integer > quantity_max_) {
            return reject(InputErrorCode::out_of_range);
        }
        order.quantity = static_cast<std::int32_t>(value.integer);
    }

    void set_key(const JsonValue& value) {
        if (value.kind != Kind::string) return reject(InputErrorCode::wrong_type);
        if (!is_idempotency_key(value.text)) return reject(InputErrorCode::invalid_key);
        key_text = value.was_escaped ? unescaped_->emplace_back(value.text) : value.text;
    }

    Members members_;
    Place place_;
    std::int32_t quantity_max_;
    std::size_t members_known_;  // userId, the first, when a token names the buyer
    std::deque<std::string>* unescaped_;
    std::size_t at_ = Members::none;
};

/// The body of POST /api/v1/orders: one object of plain values.
class OrderForm {
public:
    OrderForm(std::int32_t quantity_max, const domain::UserId* buyer)
        : fields(order_members, {}, quantity_max, buyer, nullptr) {}

    bool open_object() {
        if (!std::exchange(inside_, true)) return true;
        value({.kind = Kind::object});
        return false;
    }

    bool open_array() {
        value({.kind = Kind::array});
        return false;
    }

    void close_object() { fields.close(); }

    void close_array() {}

    void key(std::string_view member) { fields.key(member); }

    void value(const JsonValue& value) {
        if (inside_) return fields.value(value);
        add_error(fields.errors, "", InputErrorCode::wrong_type);
    }

    [[nodiscard]] std::string pointer() const { return fields.pointer(); }

    OrderFields fields;

private:
    bool inside_ = false;
};

/// The body of POST /api/v1/orders:batch: an object with one list of orders.
class BatchForm {
public:
    BatchForm(std::int32_t quantity_max, const domain::UserId* buyer)
        : quantity_max_(quantity_max), buyer_(buyer) {}

    bool open_object() {
        switch (level_) {
            case Level::outside: level_ = Level::body; return true;
            case Level::body: reject_member(); return false;
            case Level::list: level_ = Level::element; return begin_element();
            case Level::element: fields().value({.kind = Kind::object}); return false;
        }
        FC_UNREACHABLE();
    }

    bool open_array() {
        switch (level_) {
            case Level::outside: reject_root(); return false;
            case Level::body:
                if (at_ == Members::none) return false;
                level_ = Level::list;
                return true;
            case Level::list: reject_element(); return false;
            case Level::element: fields().value({.kind = Kind::array}); return false;
        }
        FC_UNREACHABLE();
    }

    void close_object() {
        if (level_ == Level::body) {
            members_.require_first(members_table.size(), {}, errors);
            return;
        }
        level_ = Level::list;
        end_element();
    }

    void close_array() {
        level_ = Level::body;
        if (count_ >= 1 && count_ <= batch_orders_max) return;
        add_error(errors, Place{}.pointer(list_name), InputErrorCode::out_of_range);
    }

    void key(std::string_view member) {
        if (level_ == Level::element) return fields().key(member);
        at_ = members_.take(member, {}, errors);
    }

    void value(const JsonValue& value) {
        switch (level_) {
            case Level::outside: return reject_root();
            case Level::body: return reject_member();
            case Level::list: return reject_element();
            case Level::element: return fields().value(value);
        }
        FC_UNREACHABLE();
    }

    [[nodiscard]] std::string pointer() const {
        if (level_ == Level::element) return fields_->pointer();
        return level_ == Level::list ? place().pointer() : std::string{};
    }

    BatchBody body;
    InputErrors errors;  ///< of the body as a whole

private:
    enum class Level : std::uint8_t { outside, body, list, element };

    static constexpr std::string_view list_name = "orders";
    static constexpr std::array<std::string_view, 1> members_table{list_name};

    OrderFields& fields() {
        FC_ASSERT(fields_);
        return *fields_;
    }

    [[nodiscard]] Place place() const { return {.list = list_name, .index = count_}; }

    void reject_root() { add_error(errors, "", InputErrorCode::wrong_type); }

    void reject_member() {
        if (at_ == Members::none) return;
        add_error(errors, Place{}.pointer(list_name), InputErrorCode::wrong_type);
    }

    /// Elements beyond the bound are counted and nothing else: the body is refused for them.
    void reject_element() {
        if (count_ < batch_orders_max) {
            InputErrors mistakes;
            add_error(mistakes, place().pointer(), InputErrorCode::wrong_type);
            body.elements.push_back({.order = std::unexpected(std::move(mistakes)), .key = {}});
        }
        ++count_;
    }

    bool begin_element() {
        if (count_ < batch_orders_max) {
            fields_.emplace(element_members, place(), quantity_max_, buyer_, &body.unescaped);
            return true;
        }
        level_ = Level::list;
        ++count_;
        return false;
    }

    void end_element() {
        fields_->close();
        ++count_;
        if (!fields_->errors.empty()) {
            body.elements.push_back(
                {.order = std::unexpected(std::move(fields_->errors)), .key = {}}
            );
            return;
        }
        body.elements.push_back({.order = fields_->order, .key = fields_->key_text});
    }

    std::int32_t quantity_max_;
    const domain::UserId* buyer_;
    Level level_ = Level::outside;
    Members members_{members_table};
    std::size_t at_ = Members::none;
    std::size_t count_ = 0;
    std::optional<OrderFields> fields_;
};

}  // namespace

std::expected<domain::OrderRequest, InputErrors> parse_order(
    std::string_view body, std::int32_t quantity_max, const domain::UserId* buyer
) {
    OrderForm form{quantity_max, buyer};
    std::optional<InputError> unreadable = read_json(body, form);
    if (unreadable) return std::unexpected(InputErrors{*std::move(unreadable)});
    if (!form.fields.errors.empty()) return std::unexpected(std::move(form.fields.errors));
    return form.fields.order;
}

std::expected<BatchBody, InputErrors> parse_batch(
    std::string_view body, std::int32_t quantity_max, const domain::UserId* buyer
) {
    BatchForm form{quantity_max, buyer};
    constexpr std::size_t element_size_usual = 64;  // bytes; only a guess to grow less often
    form.body.elements.reserve(std::min(body.size() / element_size_usual, batch_orders_max));
    std::optional<InputError> unreadable = read_json(body, form);
    if (unreadable) return std::unexpected(InputErrors{*std::move(unreadable)});
    if (!form.errors.empty()) return std::unexpected(std::move(form.errors));
    FC_ASSERT(!form.body.elements.empty());
    return std::move(form.body);
}

char* write_order(char* out, const domain::Order& order) {
    out = write_text(out, R"({"orderId":")");
    order.id.write(out);
    out = write_text(out + order_id_size, R"(","userId":)");
    out = write_id(out, order.user.text());
    out = write_text(out, R"(,"itemId":)");
    out = write_id(out, order.item.text());
    out = write_text(out, R"(,"quantity":)");
    out = write_integer(out, order.quantity);
    out = write_text(out, R"(,"status":")");
    out = write_text(out, domain::name(order.status));
    out = write_text(out, R"(","sequence":)");
    out = write_unsigned(out, order.sequence);
    out = write_text(out, R"(,"acceptedAt":")");
    out = write_timestamp(out, order.accepted_at);
    out = write_text(out, R"(","durability":")");
    out = write_text(out, domain::name(order.durability));
    return write_text(out, R"("})");
}

void append_order(std::string& out, const domain::Order& order) {
    std::array<char, order_json_size_max> buffer;
    char* end = write_order(buffer.data(), order);
    FC_ASSERT(end <= buffer.data() + buffer.size());
    out.append(buffer.data(), end);
}

void append_order_location(std::string& out, domain::OrderId id) {
    std::array<char, order_location_size> buffer;
    static_assert(order_location_size >= orders_path.size() + order_id_size);
    char* end = write_text(buffer.data(), orders_path);
    id.write(end);
    out.append(buffer.data(), end + order_id_size);
}

void append_order_page(std::string& out, const ports::OrderPage& page) {
    out += R"({"items":[)";
    for (const domain::Order& order : page.orders) {
        if (&order != page.orders.data()) out += ',';
        append_order(out, order);
    }
    out += R"(],"nextCursor":)";
    if (page.next) {
        out += '"';
        append_cursor(out, *page.next);
        out += R"("})";
    } else {
        out += "null}";
    }
}

void append_count(std::string& out, std::uint64_t count) {
    out += R"({"count":)";
    append_unsigned(out, count);
    out += '}';
}

BatchAnswer::BatchAnswer(std::string& out) : out_(out) {
    out_ += R"({"outcomes":[)";
}

void BatchAnswer::accepted(const domain::Accepted& accepted) {
    separate();
    out_ += R"({"status":202,"location":")";
    append_order_location(out_, accepted.order.id);
    out_ += accepted.replayed ? R"(","idempotentReplayed":true,"order":)"
                              : R"(","idempotentReplayed":false,"order":)";
    append_order(out_, accepted.order);
    out_ += '}';
}

void BatchAnswer::refused(const Problem& problem, const ProblemContext& context) {
    separate();
    out_ += R"({"status":)";
    append_integer(out_, row(problem.code).status);
    out_ += R"(,"problem":)";
    append_problem_body(out_, problem, context);
    out_ += '}';
}

void BatchAnswer::close() {
    out_ += "]}";
}

void BatchAnswer::separate() {
    if (!first_) out_ += ',';
    first_ = false;
}

}  // namespace firstcome::http
