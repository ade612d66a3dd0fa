// src/ports/errors.cpp - the one spelling of every fault
#include "base/assert.hpp"
#include "ports/dead_letters.hpp"
#include "ports/event_sink.hpp"
#include "ports/order_ledger.hpp"
#include "ports/order_store.hpp"
#include "ports/outbox.hpp"
#include "ports/system_of_record.hpp"

namespace firstcome::ports {

std::string_view name(LedgerError error) {
    switch (error) {
        case LedgerError::unavailable: return "unavailable";
        case LedgerError::storage_full: return "storage_full";
        case LedgerError::rebuilding: return "rebuilding";
        case LedgerError::circuit_open: return "circuit_open";
        case LedgerError::backlog: return "backlog";
        case LedgerError::deadline_passed: return "deadline_passed";
        case LedgerError::outcome_unknown: return "outcome_unknown";
    }
    FC_UNREACHABLE();
}

std::string_view name(StoreError error) {
    switch (error) {
        case StoreError::unavailable: return "unavailable";
        case StoreError::corrupt: return "corrupt";
    }
    FC_UNREACHABLE();
}

std::string_view name(OutboxError error) {
    switch (error) {
        case OutboxError::unavailable: return "unavailable";
        case OutboxError::not_ours: return "not_ours";
    }
    FC_UNREACHABLE();
}

std::string_view name(RecordError error) {
    switch (error) {
        case RecordError::unavailable: return "unavailable";
        case RecordError::outcome_unknown: return "outcome_unknown";
        case RecordError::not_ours: return "not_ours";
        case RecordError::corrupt: return "corrupt";
    }
    FC_UNREACHABLE();
}

std::string_view name(DeadLetterError error) {
    switch (error) {
        case DeadLetterError::unavailable: return "unavailable";
        case DeadLetterError::not_found: return "not_found";
        case DeadLetterError::in_the_way: return "in_the_way";
    }
    FC_UNREACHABLE();
}

std::string_view name(DeadLetterStatus status) {
    switch (status) {
        case DeadLetterStatus::retrying: return "retrying";
        case DeadLetterStatus::dead: return "dead";
        case DeadLetterStatus::resolved: return "resolved";
        case DeadLetterStatus::discarded: return "discarded";
    }
    FC_UNREACHABLE();
}

std::optional<DeadLetterStatus> dead_letter_status_from(std::string_view text) {
    using enum DeadLetterStatus;
    for (const DeadLetterStatus status : {retrying, dead, resolved, discarded}) {
        if (text == name(status)) return status;
    }
    return std::nullopt;
}

std::string_view name(Cause cause) {
    switch (cause) {
        case Cause::unavailable: return "unavailable";
        case Cause::overloaded: return "overloaded";
        case Cause::conflict: return "conflict";
        case Cause::invalid: return "invalid";
        case Cause::duplicate: return "duplicate";
        case Cause::rejected: return "rejected";
    }
    FC_UNREACHABLE();
}

std::optional<Cause> cause_from(std::string_view text) {
    for (const Cause cause : causes) {
        if (text == name(cause)) return cause;
    }
    return std::nullopt;
}

bool is_transient(Cause cause) {
    return cause == Cause::unavailable || cause == Cause::overloaded || cause == Cause::conflict;
}

}  // namespace firstcome::ports
