// src/app/service_state.hpp - where the service stands between its start and its end
#pragma once

#include <atomic>
#include <cstdint>

namespace firstcome::app {

enum class ServiceStage : std::uint8_t { starting, serving, draining };

/// Moves forward only.
///
/// Thread   any
class ServiceState {
public:
    [[nodiscard]] ServiceStage stage() const { return stage_.load(std::memory_order_relaxed); }

    void serve() { stage_.store(ServiceStage::serving, std::memory_order_relaxed); }

    void drain() { stage_.store(ServiceStage::draining, std::memory_order_relaxed); }

private:
    std::atomic<ServiceStage> stage_{ServiceStage::starting};
};

}  // namespace firstcome::app
