// src/ports/limit_share.cpp - the one spelling of why nodes do not hear each other
#include "ports/limit_share.hpp"

#include "base/assert.hpp"

namespace firstcome::ports {

std::string_view name(LimitShareError error) {
    switch (error) {
        case LimitShareError::unavailable: return "unavailable";
    }
    FC_UNREACHABLE();
}

}  // namespace firstcome::ports
