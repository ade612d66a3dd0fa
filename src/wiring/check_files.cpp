// src/wiring/check_files.cpp - would the files be taken that a configuration names?
#include "wiring/check_files.hpp"

#include "adapters/redis/tls.hpp"
#include "adapters/webhook/sink.hpp"
#include "base/private_file.hpp"
#include "base/time.hpp"
#include "wiring/credentials.hpp"
#include "wiring/store_options.hpp"

namespace firstcome::wiring {

namespace {

void check_redis(const config::Config& config, std::vector<std::string>& mistakes) {
    const auto options = redis_options(config);
    if (!options) return mistakes.push_back(options.error());
    if (!options->url.tls) return;
    const auto tls = redis::TlsContext::read(options->tls);
    if (!tls) mistakes.push_back("redis.tls: " + tls.error());
}

void check_webhook(const config::Config& config, std::vector<std::string>& mistakes) {
    const base::SystemClock clock;
    const auto sink = webhook::Sink::open(
        {.url = config.webhook.url,
         .secret_file = config.webhook.secret_file,
         .allow_private = config.webhook.allow_private},
        clock
    );
    if (!sink) mistakes.push_back(sink.error());
}

// A collector that is not trusted costs spans, never the start: so it is found out here, or not
// before the log says that spans fail.
void check_tracing(const config::Config& config, std::vector<std::string>& mistakes) {
    constexpr std::size_t size_max = std::size_t{4} << 20U;  // all of the system's are 200 KiB
    const std::string& file = config.tracing.ca_file;
    const auto text = base::read_whole_file(file, size_max, base::Readers::anybody);
    if (!text) mistakes.push_back("tracing.ca_file: " + file + " " + text.error());
}

}  // namespace

std::vector<std::string> mistakes_in_files(const config::Config& config) {
    std::vector<std::string> mistakes = mistakes_in_credentials(config);
    if (config.mode == config::Mode::distributed) check_redis(config, mistakes);
    if (!config.webhook.url.empty()) check_webhook(config, mistakes);
    if (!config.tracing.ca_file.empty()) check_tracing(config, mistakes);
    return mistakes;
}

}  // namespace firstcome::wiring
