// src/cli/bench_answer.cpp - a scanner for HTTP answers, minimal and strict about lengths
#include "cli/bench_answer.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <charconv>

namespace firstcome::cli {

namespace {

constexpr std::string_view head_end = "\r\n\r\n";

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool same(std::string_view text, std::string_view lower_case) {
    return text.size() == lower_case.size() &&
           std::equal(text.begin(), text.end(), lower_case.begin(), [](char a, char b) {
               return lower(a) == b;
           });
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

template <typename Number>
std::optional<Number> number_at_front(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) return std::nullopt;
    return value;
}

// Where the text that begins at `quote` ends, or the end of all. Most of a batch's answer is texts:
// they are jumped over, not walked through.
std::size_t text_end(std::string_view body, std::size_t quote) {
    for (std::size_t at = body.find('"', quote + 1); at < body.size();
         at = body.find('"', at + 1)) {
        std::size_t before = at;
        while (body[before - 1] == '\\') --before;
        if ((at - before) % 2 == 0) return at;
    }
    return body.size() - 1;
}

struct Head {
    bool replayed = false;
    bool closes = false;
    std::optional<std::size_t> length;
};

void read_field(std::string_view line, Head& head) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (same(name, "content-length")) head.length = number_at_front<std::size_t>(value);
    if (same(name, "idempotent-replayed")) head.replayed = same(value, "true");
    if (same(name, "connection")) head.closes = same(value, "close");
}

Head read_head(std::string_view lines) {
    Head head;
    while (!lines.empty()) {
        const std::size_t end = lines.find("\r\n");
        const std::string_view line = lines.substr(0, end);
        // Only names that start with c or i matter: the rest is passed over unread.
        const char first = line.empty() ? ' ' : lower(line.front());
        if (first == 'c' || first == 'i') read_field(line, head);
        if (end == std::string_view::npos) break;
        lines.remove_prefix(end + 2);
    }
    return head;
}

}  // namespace

std::expected<std::optional<Answer>, AnswerError> answer_at_front(std::string_view bytes) {
    constexpr std::string_view version = "HTTP/1.1 ";
    const std::string_view start = bytes.substr(0, version.size());
    if (start != version.substr(0, start.size())) return std::unexpected(AnswerError::not_http);
    const std::size_t end = bytes.find(head_end);
    if (end == std::string_view::npos) return std::optional<Answer>{};

    Answer answer;
    const auto status = number_at_front<int>(bytes.substr(version.size(), 3));
    if (!status) return std::unexpected(AnswerError::not_http);
    answer.status = *status;
    const std::size_t first_field = std::min(bytes.find("\r\n"), end);
    const Head head =
        read_head(bytes.substr(first_field + 2, end - std::min(end, first_field + 2)));
    if (!head.length && answer.status != 204 && answer.status != 304) {
        return std::unexpected(AnswerError::no_length);
    }
    const std::size_t length = head.length.value_or(0);
    answer.size = end + head_end.size() + length;
    if (bytes.size() < answer.size) return std::optional<Answer>{};
    answer.body = bytes.substr(end + head_end.size(), length);
    answer.replayed = head.replayed;
    answer.closes = head.closes;
    return answer;
}

std::string_view json_member(std::string_view object, std::string_view name) {
    for (std::size_t at = object.find(name); at != std::string_view::npos;
         at = object.find(name, at + 1)) {
        const std::size_t after = at + name.size();
        if (at == 0 || object[at - 1] != '"') continue;
        if (after >= object.size() || object[after] != '"') continue;
        std::string_view rest = object.substr(after + 1);
        const std::size_t start = rest.find_first_not_of(" \t\r\n:");
        if (start == 0 || start == std::string_view::npos) continue;
        rest.remove_prefix(start);
        if (rest.front() == '"') return rest.substr(1, rest.find('"', 1) - 1);
        return rest.substr(0, rest.find_first_of(",}] \t\r\n"));
    }
    return {};
}

std::optional<std::int64_t> json_integer(std::string_view object, std::string_view name) {
    return number_at_front<std::int64_t>(json_member(object, name));
}

void json_elements(std::string_view body, std::vector<std::string_view>& out) {
    out.clear();
    std::size_t start = 0;
    int depth = 0;
    for (std::size_t at = body.find('['); at < body.size(); ++at) {
        switch (body[at]) {
            case '"': at = text_end(body, at); break;
            case '{':
                if (depth++ == 0) start = at;
                break;
            case '}':
                if (--depth == 0) out.push_back(body.substr(start, at + 1 - start));
                break;
            case ']':
                if (depth == 0) return;
                break;
            default: break;
        }
    }
}

bool OrderAnswer::definite() const {
    if (status == 408 || status == 429 || status >= 500) return false;
    return code != "idempotency_in_progress";
}

OrderAnswer order_answer(const Answer& answer) {
    OrderAnswer order{.status = answer.status, .replayed = answer.replayed};
    order.body_hash = XXH3_64bits(answer.body.data(), answer.body.size());
    if (!order.accepted()) {
        order.code = json_member(answer.body, "code");
        return order;
    }
    order.order_id = json_member(answer.body, "orderId");
    order.accepted_at = json_member(answer.body, "acceptedAt");
    order.sequence =
        number_at_front<std::uint64_t>(json_member(answer.body, "sequence")).value_or(0);
    return order;
}

OrderAnswer order_answer(std::string_view element) {
    Answer answer{.status = static_cast<int>(json_integer(element, "status").value_or(0))};
    answer.replayed = json_member(element, "idempotentReplayed") == "true";
    // An accepted order stands inside as the object that a single order is answered with.
    constexpr std::string_view inner = "\"order\":";
    const std::size_t at = element.find(inner);
    answer.body = element;
    if (at != std::string_view::npos) {
        const std::string_view rest = element.substr(at + inner.size());
        answer.body = rest.substr(0, rest.find('}') + 1);
    }
    return order_answer(answer);
}

}  // namespace firstcome::cli
