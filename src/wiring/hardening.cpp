// src/wiring/hardening.cpp - what the process takes from itself before it reads a secret
#include "wiring/hardening.hpp"

#include <fmt/format.h>

#include <sys/prctl.h>
#include <sys/stat.h>

namespace firstcome::wiring {

void harden_process() {
    ::umask(0077);
    // It cannot fail with this argument.
    static_cast<void>(::prctl(PR_SET_DUMPABLE, 0));
}

std::string complaint_about_directory(const std::string& path) {
    struct ::stat found {};

    if (::stat(path.c_str(), &found) != 0 || (found.st_mode & 0077U) == 0) return {};
    return fmt::format(
        "{} is open to other users (mode {:o}); make it 0700", path, found.st_mode & 07777U
    );
}

}  // namespace firstcome::wiring
