// src/http/json_reader.hpp - strict reading of JSON in one pass, straight into a form's fields
#pragma once

#include "http/input_error.hpp"
#include "http/json.hpp"

#include <boost/json/basic_parser_impl.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace firstcome::http {

inline constexpr std::size_t json_depth_max = 16;

/// One JSON value as a form sees it.
struct JsonValue {
    enum class Kind : std::uint8_t {
        null,
        boolean,
        integer,
        huge_integer,  // beyond int64
        fraction,      // any number written with a point or an exponent
        string,
        object,
        array,
    };
    Kind kind = Kind::null;
    std::int64_t integer = 0;
    std::string_view text = {};  ///< of a string or a fraction; valid until the next value
    bool was_escaped = false;    ///< the text is not a part of the body
};

/// A string, or an integer seen as its decimal text.
template <typename Id>
std::expected<Id, InputErrorCode> id_of(const JsonValue& value) {
    std::array<char, 20> digits;
    std::string_view text = value.text;
    if (value.kind == JsonValue::Kind::integer) {
        const char* end = write_integer(digits.data(), value.integer);
        text = {digits.data(), static_cast<std::size_t>(end - digits.data())};
    } else if (value.kind == JsonValue::Kind::huge_integer) {
        return std::unexpected(InputErrorCode::out_of_range);
    } else if (value.kind != JsonValue::Kind::string) {
        return std::unexpected(InputErrorCode::wrong_type);
    }
    const std::optional<Id> id = Id::from(text);
    if (!id) return std::unexpected(InputErrorCode::invalid_id);
    return *id;
}

/// Where in the body a form stands: the root, or an element of a list below it. The pointer is only
/// built when there is a mistake to report.
struct Place {
    std::string_view list = {};  ///< "orders"; empty: the root
    std::size_t index = 0;

    [[nodiscard]] std::string pointer() const {
        std::string text;
        if (list.empty()) return text;
        append_pointer_token(text, list);
        append_pointer_token(text, std::to_string(index));
        return text;
    }

    [[nodiscard]] std::string pointer(std::string_view member) const {
        std::string text = pointer();
        append_pointer_token(text, member);
        return text;
    }
};

inline void add_error(InputErrors& errors, std::string pointer, InputErrorCode code) {
    if (errors.size() < input_errors_max) errors.push_back({std::move(pointer), code});
}

/// Which members of one object came; an object has at most 32.
class Members {
public:
    static constexpr std::size_t none = static_cast<std::size_t>(-1);
    static constexpr std::size_t name_size_max = 64;  ///< longer ones are not repeated in a pointer

    explicit Members(std::span<const std::string_view> names) : names_(names) {}

    /// The member's place in the table, or none (reported) when it is unknown or came before.
    std::size_t take(std::string_view member, const Place& place, InputErrors& errors) {
        std::size_t at = 0;
        while (at < names_.size() && names_[at] != member) ++at;
        if (at == names_.size()) {
            const bool is_short = member.size() <= name_size_max;
            add_error(
                errors,
                is_short ? place.pointer(member) : place.pointer(),
                InputErrorCode::unknown_member
            );
            return none;
        }
        if ((seen_ >> at & 1U) != 0) {
            add_error(errors, place.pointer(member), InputErrorCode::duplicate_member);
            return none;
        }
        seen_ |= 1U << at;
        return at;
    }

    /// Reports those of the first `count` members that never came, but for the first `known`.
    void require_first(
        std::size_t count, const Place& place, InputErrors& errors, std::size_t known = 0
    ) const {
        for (std::size_t at = known; at < count; ++at) {
            if ((seen_ >> at & 1U) != 0) continue;
            add_error(errors, place.pointer(names_[at]), InputErrorCode::required);
        }
    }

private:
    std::span<const std::string_view> names_;
    std::uint32_t seen_ = 0;
};

/// Turns the events of Boost's parser into those a form needs. What a form does not want to enter
/// is skipped as a whole, and costs no memory.
///
/// A form has: bool open_object(), bool open_array() (false: not here), void close_object(),
/// void close_array(), void key(string_view), void value(const JsonValue&), string pointer().
template <typename Form>
class JsonHandler {
public:
    static constexpr auto max_object_size = static_cast<std::size_t>(-1);
    static constexpr auto max_array_size = static_cast<std::size_t>(-1);
    static constexpr auto max_key_size = static_cast<std::size_t>(-1);
    static constexpr auto max_string_size = static_cast<std::size_t>(-1);

    using Error = boost::json::error_code;
    using Text = boost::json::string_view;

    JsonHandler(Form& form, std::string_view body) : form_(form), body_(body) {}

    bool on_document_begin(Error& /*error*/) { return true; }

    bool on_document_end(Error& /*error*/) { return true; }

    bool on_object_begin(Error& /*error*/) {
        if (skipping_ > 0 || !form_.open_object()) ++skipping_;
        return true;
    }

    bool on_object_end(std::size_t /*count*/, Error& /*error*/) {
        if (skipping_ > 0) {
            --skipping_;
        } else {
            form_.close_object();
        }
        return true;
    }

    bool on_array_begin(Error& /*error*/) {
        if (skipping_ > 0 || !form_.open_array()) ++skipping_;
        return true;
    }

    bool on_array_end(std::size_t /*count*/, Error& /*error*/) {
        if (skipping_ > 0) {
            --skipping_;
        } else {
            form_.close_array();
        }
        return true;
    }

    bool on_key_part(Text part, std::size_t /*total*/, Error& /*error*/) {
        gather(part);
        return true;
    }

    bool on_key(Text last, std::size_t total, Error& /*error*/) {
        const std::string_view whole = finish(last, total);
        if (skipping_ == 0) form_.key(whole);
        return true;
    }

    bool on_string_part(Text part, std::size_t /*total*/, Error& /*error*/) {
        gather(part);
        return true;
    }

    bool on_string(Text last, std::size_t total, Error& /*error*/) {
        const std::string_view whole = finish(last, total);
        const std::less<> before;
        const bool was_escaped = before(whole.data(), body_.data()) ||
                                 !before(whole.data(), body_.data() + body_.size());
        return value({.kind = JsonValue::Kind::string, .text = whole, .was_escaped = was_escaped});
    }

    bool on_number_part(Text /*part*/, Error& /*error*/) { return true; }

    bool on_int64(std::int64_t number, Text /*text*/, Error& /*error*/) {
        return value({.kind = JsonValue::Kind::integer, .integer = number});
    }

    bool on_uint64(std::uint64_t /*number*/, Text /*text*/, Error& /*error*/) {
        return value({.kind = JsonValue::Kind::huge_integer});
    }

    /// Boost hands integers beyond 64 bits over as doubles too; their text tells them apart.
    bool on_double(double /*number*/, Text text, Error& /*error*/) {
        const std::string_view digits{text.data(), text.size()};
        const bool is_integer = digits.find_first_of(".eE") == std::string_view::npos;
        const auto kind = is_integer ? JsonValue::Kind::huge_integer : JsonValue::Kind::fraction;
        return value({.kind = kind, .text = digits});
    }

    bool on_bool(bool /*truth*/, Error& /*error*/) {
        return value({.kind = JsonValue::Kind::boolean});
    }

    bool on_null(Error& /*error*/) { return value({.kind = JsonValue::Kind::null}); }

    bool on_comment_part(Text /*part*/, Error& /*error*/) { return true; }

    bool on_comment(Text /*text*/, Error& /*error*/) { return true; }

private:
    /// Text with escapes comes in parts. What exceeds the scratch space is longer than any member
    /// may be, so the cut text is refused for its length as the whole one would be.
    void gather(Text part) {
        const std::size_t taken = std::min(part.size(), scratch_.size() - gathered_);
        std::memcpy(scratch_.data() + gathered_, part.data(), taken);
        gathered_ += taken;
    }

    std::string_view finish(Text last, std::size_t total) {
        if (last.size() == total) return {last.data(), last.size()};
        gather(last);
        const std::size_t size = gathered_;
        gathered_ = 0;
        return {scratch_.data(), size};
    }

    bool value(const JsonValue& value) {
        if (skipping_ == 0) form_.value(value);
        return true;
    }

    Form& form_;
    std::string_view body_;
    std::size_t skipping_ = 0;  ///< levels of nesting the form did not enter
    std::size_t gathered_ = 0;
    std::array<char, 2048> scratch_;  // room for reason_characters_max of 4 bytes each
};

/// Reads one JSON text into `form`. Nothing: it was JSON, and the form knows its own mistakes.
/// Otherwise the text could not be judged, and this is the only mistake to report.
template <typename Form>
[[nodiscard]] std::optional<InputError> read_json(std::string_view body, Form& form) {
    if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) {
        return InputError{.pointer = "", .code = InputErrorCode::empty_body};
    }
    boost::json::parse_options options;
    options.max_depth = json_depth_max;
    boost::json::basic_parser<JsonHandler<Form>> parser{options, form, body};
    boost::json::error_code error;
    const std::size_t used = parser.write_some(false, body.data(), body.size(), error);
    if (error == boost::json::error::too_deep) {
        return InputError{.pointer = "", .code = InputErrorCode::too_deep};
    }
    if (error == boost::json::error::exponent_overflow) {
        return InputError{.pointer = form.pointer(), .code = InputErrorCode::wrong_type};
    }
    if (error || used < body.size()) {
        return InputError{.pointer = "", .code = InputErrorCode::malformed_json};
    }
    return std::nullopt;
}

}  // namespace firstcome::http
