// tests/fuzz/config_fuzz.cpp - any bytes as configuration
#include "config/config.hpp"
#include "config/fields.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

using namespace firstcome::config;

namespace {

void reset(const Field& field, Config& config) {
    Config defaults;
    const auto put = [from = field.in(defaults)](auto to) {
        if constexpr (!std::is_same_v<decltype(to), Choice>) *to = *std::get<decltype(to)>(from);
    };
    std::visit(put, field.in(config));
}

}  // namespace

// The first byte chooses the way in: a file, or one --set.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size == 0) return 0;
    const std::string text{bytes + 1, bytes + size};
    const auto loaded =
        bytes[0] == 's' ? load(Sources{.set = {text}}) : load_text(text, "fuzz.toml");
    if (!loaded) {
        if (loaded.error().empty()) std::abort();
        for (const auto& error : loaded.error()) {
            for (const char c : error.text()) {
                if (static_cast<unsigned char>(c) < 0x20) std::abort();
            }
        }
        return 0;
    }
    Loaded shown = *loaded;
    // Masked in print, on purpose.
    for (const Field& field : fields()) {
        if (field.secret) reset(field, shown.config);
    }
    const auto again = load_text(print(shown), "printed.toml");
    if (!again || !restart_needed(shown.config, again->config).empty()) std::abort();
    return 0;
}
