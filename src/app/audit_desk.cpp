// src/app/audit_desk.cpp - writes down who changed what, beside everything else
#include "app/audit_desk.hpp"

#include <pthread.h>
#include <utility>
#include <vector>

namespace firstcome::app {

AuditDesk::AuditDesk(
    std::unique_ptr<ports::AuditLog> log,
    const base::Clock& clock,
    std::function<void(const ports::AuditEntry&)> lost
)
    : log_(std::move(log)), clock_(clock), lost_(std::move(lost)) {}

AuditDesk::~AuditDesk() {
    stop();
}

void AuditDesk::start() {
    thread_ = std::thread{[this] { run(); }};
}

void AuditDesk::run() {
    pthread_setname_np(pthread_self(), "fc-audit");
    while (!closed_) {
        step();
        bell_.rest(retry_after);
    }
    step();
}

void AuditDesk::stop() {
    if (closed_.exchange(true)) return;
    asked_.close();
    bell_.ring();
    if (thread_.joinable()) {
        thread_.join();
    } else {
        step();
    }
    for (const ports::AuditEntry& entry : waiting_) lost_(entry);
    waiting_.clear();
}

void AuditDesk::step() {
    run_asked();
    write_waiting();
}

void AuditDesk::note(ports::AuditEntry entry) {
    entry.at = clock_.wall();
    // Kept where it can be told of, should the queue not take it.
    auto kept = std::make_shared<ports::AuditEntry>(std::move(entry));
    Work work = [this, kept] {
        if (waiting_.size() == waiting_max) return lost_(*kept);
        waiting_.push_back(std::move(*kept));
        write_waiting();
    };
    if (!asked_.try_push(std::move(work))) return lost_(*kept);
    bell_.ring();
}

bool AuditDesk::ask(std::move_only_function<void(ports::AuditLog&)> work) {
    Work with_log = [this, work = std::move(work)]() mutable { work(*log_); };
    if (!asked_.try_push(std::move(with_log))) return false;
    bell_.ring();
    return true;
}

void AuditDesk::run_asked() {
    // The size first: an empty queue would be waited for.
    if (asked_.size() == 0) return;
    std::vector<Work> all;
    if (!asked_.pop_batch(all, waiting_max)) return;
    for (Work& work : all) work();
}

void AuditDesk::write_waiting() {
    while (!waiting_.empty()) {
        const auto added = log_->add(waiting_.front());
        if (!added && added.error() == ports::AuditError::unavailable) return;
        // One that is never taken must not keep those behind it from being written.
        if (!added) lost_(waiting_.front());
        waiting_.pop_front();
    }
}

}  // namespace firstcome::app
