// src/cli/bench_request.cpp - renders the templates and patches user and key into a copy
#include "cli/bench_request.hpp"

#include "base/assert.hpp"

#include <fmt/format.h>

#include <iterator>
#include <utility>

namespace firstcome::cli {

namespace {

void write_digits(char* out, std::size_t size, std::uint64_t value) {
    for (std::size_t at = size; at-- > 0; value /= 10)
        out[at] = static_cast<char>('0' + value % 10);
}

char letter(Kind kind) {
    switch (kind) {
        case Kind::fresh:
        case Kind::repeated:
        case Kind::reused: return 'n';
        case Kind::over_limit: return 'o';
        case Kind::unknown_item: return 'u';
    }
    FC_UNREACHABLE();
}

RequestShape with_quantity(RequestShape shape, int quantity) {
    shape.quantity = quantity;
    return shape;
}

RequestShape with_item(RequestShape shape, std::string item) {
    shape.item = std::move(item);
    return shape;
}

const std::string user_blank(Naming::user_digits, '0');
const std::string serial_blank(Naming::serial_digits, '0');

}  // namespace

std::string Naming::key(Kind kind, std::uint64_t serial) const {
    return fmt::format("{}{}{:012}", run_tag, letter(kind), serial);
}

RequestTemplate::RequestTemplate(
    const RequestShape& shape, const Naming& naming, char key_letter, unsigned batch
)
    : naming_(naming), key_start_(naming.run_tag + key_letter), keys_(shape.keys) {
    FC_ASSERT(naming.run_tag.size() == 8);
    if (batch > 1) {
        render_batch(shape, batch);
    } else {
        render_single(shape);
    }
}

void RequestTemplate::render_single(const RequestShape& shape) {
    const std::string body = fmt::format(
        R"({{"userId":{},"itemId":"{}","quantity":{}}})", user_blank, shape.item, shape.quantity
    );
    text_ = fmt::format(
        "POST /api/v1/orders HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n", shape.host
    );
    Slot slot;
    if (keys_) {
        text_ += "Idempotency-Key: " + key_start_;
        slot.key = text_.size();
        text_ += serial_blank + "\r\n";
    }
    fmt::format_to(std::back_inserter(text_), "Content-Length: {}\r\n\r\n", body.size());
    slot.user = text_.size() + body.find(user_blank);
    text_ += body;
    slots_.push_back(slot);
}

void RequestTemplate::render_batch(const RequestShape& shape, unsigned batch) {
    std::string body = "{\"orders\":[";
    for (unsigned order = 0; order < batch; ++order) {
        Slot slot;
        body += order == 0 ? "{" : ",{";
        if (keys_) {
            body += "\"idempotencyKey\":\"" + key_start_;
            slot.key = body.size();
            body += serial_blank + "\",";
        }
        body += "\"userId\":";
        slot.user = body.size();
        fmt::format_to(
            std::back_inserter(body),
            R"({},"itemId":"{}","quantity":{}}})",
            user_blank,
            shape.item,
            shape.quantity
        );
        slots_.push_back(slot);
    }
    body += "]}";
    text_ = fmt::format(
        "POST /api/v1/orders:batch HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n"
        "Content-Length: {}\r\n\r\n",
        shape.host,
        body.size()
    );
    for (Slot& slot : slots_) {
        slot.key += text_.size();
        slot.user += text_.size();
    }
    text_ += body;
}

void RequestTemplate::append(std::string& out, std::uint64_t serial) const {
    const std::size_t start = out.size();
    out += text_;
    for (const Slot& slot : slots_) {
        write_digits(out.data() + start + slot.user, Naming::user_digits, naming_.user(serial));
        if (keys_) write_digits(out.data() + start + slot.key, Naming::serial_digits, serial);
        ++serial;
    }
}

RequestTemplates::RequestTemplates(RequestShape shape, const Naming& naming, unsigned batch)
    : shape_(std::move(shape)),
      more_(with_quantity(shape_, shape_.quantity + 1)),
      nowhere_(with_item(shape_, shape_.item + "-unknown")),
      naming_(naming),
      order_(shape_, naming, letter(Kind::fresh), batch),
      reused_(more_, naming, letter(Kind::reused), 1),
      over_limit_(shape_, naming, letter(Kind::over_limit), 1),
      unknown_item_(nowhere_, naming, letter(Kind::unknown_item), 1) {}

std::string_view RequestTemplates::item(Kind kind) const {
    return kind == Kind::unknown_item ? nowhere_.item : shape_.item;
}

int RequestTemplates::quantity(Kind kind) const {
    return kind == Kind::reused ? more_.quantity : shape_.quantity;
}

const RequestTemplate& RequestTemplates::of_kind(Kind kind) const {
    switch (kind) {
        case Kind::fresh:
        case Kind::repeated: return order_;
        case Kind::reused: return reused_;
        case Kind::over_limit: return over_limit_;
        case Kind::unknown_item: return unknown_item_;
    }
    FC_UNREACHABLE();
}

}  // namespace firstcome::cli
