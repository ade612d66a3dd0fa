// src/config/service_link.hpp - variables that look like options and come from elsewhere
#pragma once

#include <string_view>

namespace firstcome::config {

/// Kubernetes and Docker put such into every container beside a service called "firstcome",
/// "firstcome-admin" and so on.
///
/// Source   kubernetes.io, "Service": environment variables; pkg/kubelet/envvars
[[nodiscard]] bool is_service_link(std::string_view name, std::string_view value);

}  // namespace firstcome::config
