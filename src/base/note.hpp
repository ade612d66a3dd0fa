// src/base/note.hpp - a sentence that stands until it is taken down: written by one, read by any
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace firstcome::base {

/// Thread   any; the lock is held for a copy only
class Note {
public:
    /// True: it says something else now than before, so it is worth a line in the log.
    bool set(std::string text) {
        const std::lock_guard lock{mutex_};
        if (text_ == text) return false;
        text_ = std::move(text);
        return true;
    }

    void clear() {
        const std::lock_guard lock{mutex_};
        text_.reset();
    }

    /// Nothing: nothing is to be said.
    [[nodiscard]] std::optional<std::string> text() const {
        const std::lock_guard lock{mutex_};
        return text_;
    }

private:
    mutable std::mutex mutex_;
    std::optional<std::string> text_;
};

}  // namespace firstcome::base
