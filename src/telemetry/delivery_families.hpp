// src/telemetry/delivery_families.hpp - outboxes, dead letters and relays as metrics
#pragma once

#include "ports/backlog.hpp"
#include "telemetry/counted.hpp"
#include "telemetry/families.hpp"

#include <span>

namespace firstcome::telemetry {

/// firstcome_outbox_*, firstcome_dlq_*: of the whole service, but for what is counted.
void add_backlog_families(Families& out, const ports::Backlog& backlog);

/// firstcome_relay_*: of this node, one series a stage; a stage without a relay has zeros.
void add_relay_families(Families& out, std::span<const RelayFigures> relays);

}  // namespace firstcome::telemetry
