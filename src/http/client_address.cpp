// src/http/client_address.cpp - walks X-Forwarded-For from the right, as far as it can be trusted
#include "http/client_address.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

namespace firstcome::http {

namespace {

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool is_forwarded_for(std::string_view name) {
    constexpr std::string_view wanted = "x-forwarded-for";
    const auto same = [](char a, char b) {
        return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b + ('a' - 'A')) : b);
    };
    return std::equal(wanted.begin(), wanted.end(), name.begin(), name.end(), same);
}

/// Takes the last piece of `rest`, up to `separator`, off it.
std::string_view take_last(std::string_view& rest, std::string_view separator) {
    const auto at = rest.rfind(separator);
    if (at == std::string_view::npos) return std::exchange(rest, {});
    const std::string_view last = rest.substr(at + separator.size());
    rest = rest.substr(0, at);
    return last;
}

/// The elements of all X-Forwarded-For fields as one list, from the right.
class ForwardedFor {
public:
    explicit ForwardedFor(const Request& request) : fields_(request.fields) {}

    /// Nothing: the list has ended. Empty elements are passed over (RFC 9110, section 5.6.1).
    std::optional<std::string_view> previous() {
        while (true) {
            while (!list_.empty()) {
                const std::string_view element = trimmed(take_last(list_, ","));
                if (!element.empty()) return element;
            }
            if (fields_.empty()) return std::nullopt;
            const std::string_view line = take_last(fields_, "\r\n");
            const auto colon = line.find(':');
            if (colon == std::string_view::npos) continue;  // the piece behind the last line end
            if (is_forwarded_for(line.substr(0, colon))) list_ = line.substr(colon + 1);
        }
    }

private:
    std::string_view fields_;
    std::string_view list_;
};

/// Also `192.0.2.1:1234`, `[2001:db8::1]` and `[2001:db8::1]:1234`, as some proxies write it.
std::optional<base::IpAddress> address_of(std::string_view element) {
    if (element.starts_with('[')) {
        const auto end = element.find(']');
        if (end == std::string_view::npos) return std::nullopt;
        const std::string_view after = element.substr(end + 1);
        if (!after.empty() && after.front() != ':') return std::nullopt;
        return base::ip_address_from(element.substr(1, end - 1));
    }
    const auto colon = element.find(':');
    const bool one_colon = colon != std::string_view::npos && element.rfind(':') == colon;
    return base::ip_address_from(one_colon ? element.substr(0, colon) : element);
}

}  // namespace

PeerAddress client_address(
    const Request& request, std::span<const base::IpNetwork> trusted_proxies
) {
    const auto is_trusted = [&](const base::IpAddress& address) {
        return std::ranges::any_of(trusted_proxies, [&](const base::IpNetwork& each) {
            return each.contains(address);
        });
    };
    PeerAddress client = request.peer;
    ForwardedFor forwarded{request};
    for (int hop = 0; hop < forwarded_hops_max && is_trusted(client.bytes); ++hop) {
        const auto element = forwarded.previous();
        if (!element) break;
        const auto address = address_of(*element);
        if (!address) break;
        client.bytes = *address;
    }
    return client;
}

}  // namespace firstcome::http
