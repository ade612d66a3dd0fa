// src/ports/errors.cpp - the one spelling of every fault
#include "base/assert.hpp"
#include "ports/order_ledger.hpp"
#include "ports/order_store.hpp"

namespace firstcome::ports {

std::string_view name(LedgerError error) {
    switch (error) {
        case LedgerError::unavailable: return "unavailable";
        case LedgerError::storage_full: return "storage_full";
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

}  // namespace firstcome::ports
