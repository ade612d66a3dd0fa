// src/wiring/tracing.cpp - spans, from the configuration to the collector
#include "wiring/tracing.hpp"

#include "base/assert.hpp"
#include "cli/cli.hpp"
#include "telemetry/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace firstcome::wiring {

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

std::string trimmed(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    return std::string(text);
}

// name=value,name=value; values percent-encoded (W3C Baggage, as OTEL_* variables have them).
std::expected<Pairs, std::string> pairs_in(std::string_view text, std::string_view key) {
    Pairs pairs;
    while (!text.empty()) {
        const auto comma = std::min(text.find(','), text.size());
        const std::string_view member = text.substr(0, comma);
        text.remove_prefix(std::min(comma + 1, text.size()));
        if (trimmed(member).empty()) continue;
        const auto equals = member.find('=');
        const std::string name = trimmed(member.substr(0, equals));
        const auto value = equals == std::string_view::npos
                               ? std::nullopt
                               : http::percent_decoded(trimmed(member.substr(equals + 1)));
        // Not echoed: it may be a secret.
        if (name.empty() || !value || ports::plain_text(*value, value->size()) != *value) {
            return std::unexpected(
                fmt::format("{}: must be name=value,name=value, in printable ASCII", key)
            );
        }
        pairs.emplace_back(name, *value);
    }
    return pairs;
}

void put_unless_there(Pairs& pairs, std::string_view name, std::string value) {
    const bool there =
        std::ranges::any_of(pairs, [name](const auto& pair) { return pair.first == name; });
    if (!there) pairs.emplace_back(name, std::move(value));
}

// Any unique text will do; a random UUID is what OpenTelemetry asks for.
std::string random_uuid(base::Entropy& entropy) {
    const std::uint64_t high = (entropy.next() & ~std::uint64_t{0xF000}) | 0x4000;
    const std::uint64_t low = (entropy.next() >> 2U) | (std::uint64_t{1} << 63U);
    return fmt::format(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32U,
        (high >> 16U) & 0xFFFFU,
        high & 0xFFFFU,
        low >> 48U,
        low & 0xFFFFFFFFFFFFU
    );
}

telemetry::Sampler::Options sampler_of(const config::Config& config) {
    using enum config::TracingSampler;
    const double ratio = config.tracing.sample_percent / 100;
    switch (config.tracing.sampler) {
        case always_on: return {.parent_based = false, .ratio = 1};
        case always_off: return {.parent_based = false, .ratio = 0};
        case traceidratio: return {.parent_based = false, .ratio = ratio};
        case parentbased_always_on: return {.parent_based = true, .ratio = 1};
        case parentbased_always_off: return {.parent_based = true, .ratio = 0};
        case parentbased_traceidratio: return {.parent_based = true, .ratio = ratio};
    }
    FC_UNREACHABLE();
}

http::RequestTrace::Options requests_of(const config::Config& config) {
    const bool embedded = config.mode == config::Mode::embedded;
    http::RequestTrace::Options options;
    options.slow = config.tracing.slow;
    options.database = embedded ? "sqlite" : "redis";
    options.operation = embedded ? "COMMIT" : "EVALSHA";
    options.https = config.has_tls();
    return options;
}

}  // namespace

std::expected<tracing::Resource, std::string> Tracing::resource() {
    auto given = pairs_in(config_.tracing.resource, "tracing.resource");
    if (!given) return std::unexpected(std::move(given.error()));
    tracing::Resource made;
    made.attributes = std::move(*given);
    made.version = std::string(cli::version());
    // A name of its own wins over one among the attributes; the default does not.
    if (config_.tracing.service_name != config::Config{}.tracing.service_name) {
        std::erase_if(made.attributes, [](const auto& pair) {
            return pair.first == "service.name";
        });
    }
    put_unless_there(made.attributes, "service.name", config_.tracing.service_name);
    put_unless_there(made.attributes, "service.version", made.version);
    put_unless_there(made.attributes, "service.instance.id", random_uuid(entropy_));
    return made;
}

std::expected<void, std::string> Tracing::start() {
    if (config_.tracing.exporter == config::TracingExporter::none) return {};
    const bool zipkin = config_.tracing.exporter == config::TracingExporter::zipkin;
    auto made = resource();
    if (!made) return std::unexpected(std::move(made.error()));
    auto headers = pairs_in(config_.tracing.headers, "tracing.headers");
    if (!headers) return std::unexpected(std::move(headers.error()));
    tracing::Collector::Options to;
    to.url = config_.tracing.endpoint;
    if (to.url.empty()) {
        to.url = zipkin ? "http://127.0.0.1:9411/api/v2/spans" : "http://127.0.0.1:4318/v1/traces";
    }
    to.content_type = zipkin ? "application/json" : "application/x-protobuf";
    to.ca_file = config_.tracing.ca_file;
    to.timeout = config_.tracing.timeout;
    for (const auto& [name, value] : *headers) to.headers.push_back(name + ": " + value);
    auto collector = tracing::Collector::open(std::move(to), clock_);
    if (!collector) return std::unexpected(std::move(collector.error()));
    tracing::Exporter::Options options;
    options.format = zipkin ? tracing::Exporter::Format::zipkin : tracing::Exporter::Format::otlp;
    options.resource = std::move(*made);
    exporter_ = std::make_unique<tracing::Exporter>(
        std::move(options), std::move(*collector), clock_, entropy_
    );
    requests_.emplace(requests_of(config_), telemetry::Sampler{sampler_of(config_)}, *exporter_);
    exporter_->start();
    log::info("spans are sent", {{"format", zipkin ? "zipkin" : "otlp"}});
    return {};
}

void Tracing::drain(base::MonotonicTime deadline) {
    if (exporter_) exporter_->drain(deadline);
}

telemetry::SpanCounts Tracing::counts() const {
    if (!exporter_) return {};
    const tracing::ExportCounts counts = exporter_->counts();
    return {.exported = counts.exported, .dropped = counts.dropped, .failed = counts.failed};
}

}  // namespace firstcome::wiring
