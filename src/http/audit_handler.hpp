// src/http/audit_handler.hpp - who changed what: written down by the handlers, read by auditors
#pragma once

#include "http/app.hpp"
#include "http/io_thread.hpp"
#include "http/message.hpp"

#include <string>

namespace firstcome::http {

/// What an admin changed. Stock changes need none: their store writes them down.
struct AdminChange {
    std::string what;      ///< `breaker.open`: the scope's word, then what was done
    std::string subject;   ///< what it was done to
    std::string reason{};  ///< as the admin gave it
    std::string before{};  ///< JSON; empty: not known
    std::string after{};   ///< JSON; empty: not known
};

/// Who asked for a change, kept until it happens: that may be after the request is over.
struct Author {
    std::string who;
    std::string request_id;
    std::string trace_id;
};

[[nodiscard]] Author author_of(const Request& request, const Admin& admin);

/// Notes the change with who, when and the trace. Never waits.
///
/// Thread   any
void record_change(App& app, const Author& author, AdminChange change);
void record_change(App& app, const Request& request, const Admin& admin, AdminChange change);

/// GET /api/v1/admin/audit
Awaitable<Response> list_audit(const Request& request, IoThread& io, App& app);

}  // namespace firstcome::http
