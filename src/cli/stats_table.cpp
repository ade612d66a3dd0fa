// src/cli/stats_table.cpp - any JSON of figures as lines and columns
#include "cli/stats_table.hpp"

#include "cli/api_client.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace firstcome::cli {

namespace {

namespace json = boost::json;

std::string cell(const json::value& value) {
    if (value.is_null()) return "-";
    if (const auto* text = value.if_string()) return printable(*text);
    if (const auto* number = value.if_double()) return fmt::format("{:.1f}", *number);
    return printable(json::serialize(value));
}

using Lines = std::vector<std::pair<std::string, std::string>>;

/// `totals.sold` for {"totals":{"sold":..}}; arrays of objects are tables of their own.
void collect_lines(Lines& out, const std::string& prefix, const json::object& object) {
    for (const auto& [name, value] : object) {
        const std::string path = prefix + printable(name);
        if (const auto* inner = value.if_object()) {
            collect_lines(out, path + ".", *inner);
        } else if (!value.is_array()) {
            out.emplace_back(path, cell(value));
        }
    }
}

void append_lines(std::string& out, const json::object& object) {
    Lines lines;
    collect_lines(lines, "", object);
    std::size_t width = 0;
    for (const auto& [path, value] : lines) width = std::max(width, path.size());
    for (const auto& [path, value] : lines) out += fmt::format("{:<{}}  {}\n", path, width, value);
}

/// The members of the first row are the columns; numbers to the right.
void append_table(std::string& out, std::string_view title, const json::array& rows) {
    if (rows.empty()) return;
    if (!rows[0].is_object()) {
        out += fmt::format("\n{}\n", printable(title));
        for (const auto& row : rows) out += fmt::format("  {}\n", cell(row));
        return;
    }
    std::vector<std::string> columns;
    std::vector<std::size_t> widths;
    for (const auto& [name, value] : rows[0].get_object()) {
        if (value.is_object() || value.is_array()) continue;
        columns.emplace_back(name);
        widths.push_back(printable(name).size());
    }
    std::vector<std::vector<std::string>> cells;
    for (const auto& row : rows) {
        if (!row.is_object()) continue;
        auto& line = cells.emplace_back();
        for (std::size_t at = 0; at < columns.size(); ++at) {
            const auto* value = row.get_object().if_contains(columns[at]);
            line.push_back(value == nullptr ? "-" : cell(*value));
            widths[at] = std::max(widths[at], line.back().size());
        }
    }
    const auto append_row = [&](const std::vector<std::string>& texts) {
        for (std::size_t at = 0; at < texts.size(); ++at) {
            out += at == 0 ? fmt::format("{:<{}}", printable(texts[at]), widths[at])
                           : fmt::format("  {:>{}}", printable(texts[at]), widths[at]);
        }
        out += '\n';
    };
    out += fmt::format("\n{}\n", printable(title));
    append_row(columns);
    for (const auto& line : cells) append_row(line);
}

/// Of the members, and of theirs: `outbox.lines`.
void append_tables(std::string& out, const std::string& prefix, const json::object& object) {
    for (const auto& [name, value] : object) {
        const std::string path = prefix + std::string{name};
        if (const auto* rows = value.if_array()) append_table(out, path, *rows);
        if (const auto* inner = value.if_object()) append_tables(out, path + ".", *inner);
    }
}

}  // namespace

std::optional<std::string> stats_table(std::string_view body) {
    boost::system::error_code error;
    const auto parsed = json::parse(body, error);
    if (error || !parsed.is_object()) return std::nullopt;
    std::string out;
    append_lines(out, parsed.get_object());
    append_tables(out, "", parsed.get_object());
    return out;
}

}  // namespace firstcome::cli
