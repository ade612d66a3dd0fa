// src/app/audit_desk.hpp - writes down who changed what, beside everything else
#pragma once

#include "base/bounded_queue.hpp"
#include "base/doorbell.hpp"
#include "ports/audit_log.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <thread>

namespace firstcome::app {

/// One thread, `fc-audit`. What cannot be written now is tried again until it can, oldest first, so
/// that a change made while the database is down is not missing afterwards.
class AuditDesk {
public:
    static constexpr std::size_t waiting_max = 1024;  ///< entries and questions
    static constexpr std::chrono::seconds retry_after{2};

    /// `lost` is told each entry that will never be written: the log refuses it, too many waited,
    /// or the end came.
    AuditDesk(
        std::unique_ptr<ports::AuditLog> log,
        const base::Clock& clock,
        std::function<void(const ports::AuditEntry&)> lost
    );
    ~AuditDesk();
    AuditDesk(const AuditDesk&) = delete;
    AuditDesk& operator=(const AuditDesk&) = delete;

    void start();

    /// Writes what waits, once more, and ends the thread.
    void stop();

    /// What was asked and what waits, once. Thread: the desk's, or a test's
    void step();

    /// With the time of now.
    ///
    /// Thread   any; never waits for the store
    void note(ports::AuditEntry entry);

    /// Runs `work` on the desk's thread, behind what was noted before. False: too much waits, or
    /// the desk is closed; then it is never called.
    ///
    /// Thread   any
    [[nodiscard]] bool ask(std::move_only_function<void(ports::AuditLog&)> work);

private:
    using Work = std::move_only_function<void()>;

    void run();
    void run_asked();
    void write_waiting();

    std::unique_ptr<ports::AuditLog> log_;
    const base::Clock& clock_;  // outlives
    std::function<void(const ports::AuditEntry&)> lost_;
    base::BoundedQueue<Work> asked_{waiting_max};
    std::deque<ports::AuditEntry> waiting_;  // the desk's thread only
    base::Doorbell bell_;
    std::atomic<bool> closed_{false};
    std::thread thread_;
};

}  // namespace firstcome::app
