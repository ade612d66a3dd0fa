// tests/domain/names_test.cpp - every enumerator's one spelling: clients and dashboards rely on it
#include "domain/order.hpp"
#include "domain/stock.hpp"

#include <gtest/gtest.h>

#include <set>
#include <utility>

namespace firstcome::domain {
namespace {

TEST(Names, OfRejections) {
    const std::pair<Rejection, std::string_view> rows[] = {
        {Rejection::sold_out, "sold_out"},
        {Rejection::insufficient_stock, "insufficient_stock"},
        {Rejection::user_limit_exceeded, "user_limit_exceeded"},
        {Rejection::sale_not_open, "sale_not_open"},
        {Rejection::sale_closed, "sale_closed"},
        {Rejection::item_not_found, "item_not_found"},
        {Rejection::idempotency_key_reused, "idempotency_key_reused"},
        {Rejection::idempotency_in_progress, "idempotency_in_progress"},
    };
    for (const auto& [why, text] : rows) EXPECT_EQ(name(why), text);
    EXPECT_EQ(std::size(rows), rejections.size());
    EXPECT_EQ(std::set(rejections.begin(), rejections.end()).size(), rejections.size());
}

TEST(Names, OfOrderStatusesBothWays) {
    const std::pair<OrderStatus, std::string_view> rows[] = {
        {OrderStatus::processing, "processing"},
        {OrderStatus::confirmed, "confirmed"},
        {OrderStatus::failed, "failed"},
    };
    for (const auto& [status, text] : rows) {
        EXPECT_EQ(name(status), text);
        EXPECT_EQ(order_status_from(text), status);
    }
    for (const std::string_view text : {"", "Confirmed", "confirmed ", "0"}) {
        EXPECT_FALSE(order_status_from(text).has_value()) << text;
    }
}

TEST(Names, OfDurabilities) {
    EXPECT_EQ(name(Durability::disk), "disk");
    EXPECT_EQ(name(Durability::redis), "redis");
    EXPECT_EQ(name(Durability::database), "database");
}

TEST(Names, OfStockOperationsBothWays) {
    const std::pair<StockOperation, std::string_view> rows[] = {
        {StockOperation::set, "set"},
        {StockOperation::add, "add"},
        {StockOperation::remove, "remove"},
    };
    for (const auto& [operation, text] : rows) {
        EXPECT_EQ(name(operation), text);
        EXPECT_EQ(stock_operation_from(text), operation);
    }
    for (const std::string_view text : {"", "SET", "sets"}) {
        EXPECT_FALSE(stock_operation_from(text).has_value()) << text;
    }
}

TEST(Names, OfStockRejections) {
    EXPECT_EQ(name(StockRejection::below_committed), "below_committed");
    EXPECT_EQ(name(StockRejection::item_not_found), "item_not_found");
    EXPECT_EQ(name(StockRejection::total_too_large), "total_too_large");
    EXPECT_EQ(name(StockRejection::window_invalid), "window_invalid");
    EXPECT_EQ(name(StockRejection::idempotency_key_reused), "idempotency_key_reused");
}

}  // namespace
}  // namespace firstcome::domain
