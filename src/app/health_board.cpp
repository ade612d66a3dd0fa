// src/app/health_board.cpp - what every health indicator last said; probes read it and never wait
#include "app/health_board.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <pthread.h>
#include <utility>

namespace firstcome::app {

using ports::Health;
using ports::health_because;
using ports::HealthStatus;

namespace {

constexpr std::chrono::milliseconds grace{250};  // a busy machine is not a stuck indicator
constexpr int rounds_missed_max = 3;             // until what was said is too old to be repeated

std::string in_seconds(std::chrono::nanoseconds time) {
    const auto tenths = std::chrono::duration_cast<std::chrono::milliseconds>(time).count() / 100;
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

HealthView view_of(std::vector<HealthComponent> components) {
    HealthView view;
    for (const HealthComponent& each : components) {
        view.status = ports::worse(view.status, each.health.status);
    }
    view.components = std::move(components);
    return view;
}

}  // namespace

HealthBoard::HealthBoard(HealthOptions options, const base::Clock& clock)
    : options_(options), clock_(clock) {}

HealthBoard::~HealthBoard() {
    stop();
}

void HealthBoard::add(std::unique_ptr<ports::HealthIndicator> indicator) {
    FC_ASSERT(indicator != nullptr);
    round_max_ += indicator->deadline() + grace;
    Entry entry;
    entry.name = indicator->name();
    entry.indicator = std::move(indicator);
    add(std::move(entry));
}

void HealthBoard::add_state(std::string name, std::function<HealthStatus()> look) {
    Entry entry;
    entry.name = std::move(name);
    entry.look = std::move(look);
    add(std::move(entry));
}

void HealthBoard::add(Entry entry) {
    FC_ASSERT(!thread_.joinable());
    const auto at = std::ranges::lower_bound(entries_, entry.name, {}, &Entry::name);
    FC_ASSERT(at == entries_.end() || at->name != entry.name);
    entries_.insert(at, std::move(entry));
}

void HealthBoard::add_group(HealthGroup group) {
    groups_.push_back(std::move(group));
}

void HealthBoard::start() {
    for (std::size_t at = 0; at < entries_.size(); ++at) {
        const auto& indicator = entries_[at].indicator;
        if (indicator != nullptr && indicator->deadline().count() == 0) ask(at);
    }
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), "fc-health");
}

void HealthBoard::stop() {
    stopping_.store(true);
    for (const Entry& entry : entries_) {
        if (entry.indicator != nullptr) entry.indicator->cancel();
    }
    bell_.ring();
    if (thread_.joinable()) thread_.join();
}

void HealthBoard::run() {
    while (!stopping_.load()) {
        refresh();
        bell_.rest(options_.every);
    }
}

void HealthBoard::refresh() {
    for (std::size_t at = 0; at < entries_.size(); ++at) {
        if (stopping_.load()) return;
        if (entries_[at].indicator != nullptr) ask(at);
    }
}

void HealthBoard::ask(std::size_t at) {
    Entry& entry = entries_[at];
    {
        const std::lock_guard lock{mutex_};
        entry.asked_at = clock_.monotonic();
    }
    Health health = entry.indicator->check();
    const std::lock_guard lock{mutex_};
    entry.health = std::move(health);
    entry.answered_at = clock_.monotonic();
    entry.asked_at.reset();
}

Health HealthBoard::shown(const Entry& entry, base::MonotonicTime now) const {
    if (entry.indicator == nullptr) return {.status = entry.look(), .details = {}};
    if (entry.asked_at && now - *entry.asked_at > entry.indicator->deadline() + grace) {
        return health_because(
            HealthStatus::down,
            "the check has not answered for " + in_seconds(now - *entry.asked_at)
        );
    }
    if (!entry.answered_at) return health_because(HealthStatus::unknown, "not checked yet");
    const auto old = rounds_missed_max * options_.every + round_max_;
    if (now - *entry.answered_at > old) {
        return health_because(
            HealthStatus::unknown,
            "not checked for " + in_seconds(now - *entry.answered_at) +
                ": another check has not answered"
        );
    }
    return entry.health;
}

HealthView HealthBoard::all() const {
    std::vector<HealthComponent> components;
    const std::lock_guard lock{mutex_};
    const auto now = clock_.monotonic();
    components.reserve(entries_.size());
    for (const Entry& entry : entries_) components.push_back({entry.name, shown(entry, now)});
    return view_of(std::move(components));
}

std::optional<HealthView> HealthBoard::group(std::string_view name) const {
    const auto group = std::ranges::find(groups_, name, &HealthGroup::name);
    if (group == groups_.end()) return std::nullopt;
    std::vector<HealthComponent> components = all().components;
    std::erase_if(components, [&](const HealthComponent& each) {
        return std::ranges::find(group->components, each.name) == group->components.end();
    });
    return view_of(std::move(components));
}

std::optional<Health> HealthBoard::component(std::string_view name) const {
    const std::lock_guard lock{mutex_};
    const auto entry = std::ranges::find(entries_, name, &Entry::name);
    if (entry == entries_.end()) return std::nullopt;
    return shown(*entry, clock_.monotonic());
}

}  // namespace firstcome::app
