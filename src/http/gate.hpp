// src/http/gate.hpp - who is let in: asked once a request is whole, or before a large body is read
#pragma once

#include "http/message.hpp"
#include "http/problem.hpp"

#include <cstddef>
#include <optional>
#include <string_view>

namespace firstcome::http {

/// Thread   any io thread
class Gate {
public:
    Gate() = default;
    Gate(const Gate&) = delete;
    Gate& operator=(const Gate&) = delete;
    virtual ~Gate() = default;

    /// A request that has a route. Sets `client` and `limit` of it. False: `response`, which comes
    /// cleared, is the answer.
    [[nodiscard]] virtual bool admit(Request& request, Response& response) = 0;

    /// One order of a user, before the lane. Nothing: let it on; else why not.
    [[nodiscard]] virtual std::optional<Problem> refuse_order(
        const Request& request, std::string_view user
    ) = 0;
};

/// Appends `RateLimit: "ip";r=42;t=1`, where the gate has noted a limit and the answer does not say
/// it already.
void append_limit(std::string& out, const Request& request, unsigned status);

}  // namespace firstcome::http
