// src/telemetry/scrapes.hpp - the text of /metrics for those who ask, however often
#pragma once

#include "base/time.hpp"

#include <functional>
#include <mutex>
#include <string>

namespace firstcome::telemetry {

/// Rendering costs milliseconds where there are many items, and anybody may ask. So it may take a
/// tenth of one core in the long run, and a tenth of a second at once: a scraper always gets fresh
/// figures, and whoever asks without end gets the text rendered last, again and again. That one is
/// never older than ten times what rendering it has cost.
///
/// Thread   any; one renders, the others wait for it
class Scrapes {
public:
    /// `clock`, and what `render` uses, outlive this.
    Scrapes(std::function<std::string()> render, const base::Clock& clock);

    [[nodiscard]] std::string text();

private:
    std::function<std::string()> render_;
    const base::Clock& clock_;  // outlives
    std::mutex mutex_;
    std::string last_;
    base::MonotonicTime paid_until_{};  // at a tenth of the time
};

}  // namespace firstcome::telemetry
