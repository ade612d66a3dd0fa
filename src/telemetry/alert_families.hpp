// src/telemetry/alert_families.hpp - the built-in alerts as metrics: what fires, and who was told
#pragma once

#include "telemetry/alert_watch.hpp"
#include "telemetry/families.hpp"

namespace firstcome::telemetry {

/// Nothing where nobody watches.
void add_alert_families(Families& out, const AlertStats& alerts);

}  // namespace firstcome::telemetry
