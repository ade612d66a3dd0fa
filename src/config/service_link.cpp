// src/config/service_link.cpp - variables that look like options and come from elsewhere
#include "config/service_link.hpp"

#include <algorithm>
#include <array>

namespace firstcome::config {

namespace {

/// `_80_TCP`, `_53_UDP_ADDR`: what follows `..._PORT` in a link to one port.
bool is_port_of_link(std::string_view rest) {
    if (!rest.starts_with('_')) return false;
    rest.remove_prefix(1);
    const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    rest.remove_prefix(digits);
    constexpr std::array<std::string_view, 3> protocols{"_TCP", "_UDP", "_SCTP"};
    const auto* const protocol = std::ranges::find_if(protocols, [&](std::string_view each) {
        return rest.starts_with(each);
    });
    if (digits == 0 || protocol == protocols.end()) return false;
    rest.remove_prefix(protocol->size());
    return rest.empty() || rest == "_ADDR" || rest == "_PORT" || rest == "_PROTO";
}

}  // namespace

bool is_service_link(std::string_view name, std::string_view value) {
    if (name.ends_with("_SERVICE_HOST") || name.ends_with("_SERVICE_PORT")) return true;
    if (name.contains("_SERVICE_PORT_")) return true;  // and the port's own name
    constexpr std::string_view port = "_PORT";
    if (name.ends_with(port)) {
        const bool has_url = value.starts_with("tcp://") || value.starts_with("udp://") ||
                             value.starts_with("sctp://");
        if (has_url) return true;
    }
    for (auto at = name.find(port); at != std::string_view::npos; at = name.find(port, at + 1)) {
        if (is_port_of_link(name.substr(at + port.size()))) return true;
    }
    return false;
}

}  // namespace firstcome::config
