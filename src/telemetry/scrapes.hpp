// src/telemetry/scrapes.hpp - the text of /metrics for those who ask, however often
#pragma once

#include "base/time.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace firstcome::telemetry {

/// Rendering costs milliseconds where there are many items, and anybody may ask. So it may take a
/// tenth of one core in the long run, and a tenth of a second at once: a scraper always gets fresh
/// figures, and whoever asks without end gets the text rendered last, again and again. That one is
/// never older than ten times what rendering it has cost.
///
/// Thread   any; one renders, and the others get the text before it, since an io thread that waits
///          keeps orders waiting. They wait only where there is none of the last 5 s
class Scrapes {
public:
    /// `clock`, and what `render` uses, outlive this.
    Scrapes(std::function<std::string()> render, const base::Clock& clock);

    [[nodiscard]] std::string text();

private:
    [[nodiscard]] std::shared_ptr<const std::string> current();
    /// Null: there is none, or it was rendered before `oldest`.
    [[nodiscard]] std::shared_ptr<const std::string> last_since(base::MonotonicTime oldest);

    std::function<std::string()> render_;
    const base::Clock& clock_;          // outlives
    std::mutex turn_;                   // held while rendering
    base::MonotonicTime paid_until_{};  // at a tenth of the time; under turn_
    std::mutex mutex_;                  // of those below; never held for long
    std::shared_ptr<const std::string> last_;
    base::MonotonicTime last_at_{};
};

}  // namespace firstcome::telemetry
