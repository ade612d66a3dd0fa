// tests/fuzz/order_json_fuzz.cpp - whatever the bytes: an order within its limits, or a reason
#include "base/assert.hpp"
#include "http/order_json.hpp"
#include "http/problem.hpp"

#include <boost/json/parse.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using namespace firstcome;

void check(const domain::OrderRequest& order) {
    FC_ASSERT(order.quantity >= 1);
    FC_ASSERT(order.quantity <= http::quantity_max_default);
    FC_ASSERT(domain::UserId::from(order.user.text()));
    FC_ASSERT(domain::ItemId::from(order.item.text()));
}

void check(const http::InputErrors& errors) {
    FC_ASSERT(!errors.empty());
    FC_ASSERT(errors.size() <= http::input_errors_max);
    std::string body;
    http::append_problem_body(body, http::problem(errors), {.instance = "/", .trace_id = {}});
    boost::json::error_code error;
    (void)boost::json::parse(body, error);
    FC_ASSERT(!error);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const std::string_view body{reinterpret_cast<const char*>(bytes), size};

    const auto order = http::parse_order(body);
    if (order) {
        check(*order);
    } else {
        check(order.error());
    }

    const auto batch = http::parse_batch(body);
    FC_ASSERT(!order || !batch);
    if (!batch) {
        check(batch.error());
        return 0;
    }
    FC_ASSERT(!batch->elements.empty());
    FC_ASSERT(batch->elements.size() <= http::batch_orders_max);
    for (const http::BatchElement& element : batch->elements) {
        if (element.order) {
            check(*element.order);
            FC_ASSERT(element.key.empty() || http::is_idempotency_key(element.key));
        } else {
            check(element.order.error());
        }
    }
    return 0;
}
