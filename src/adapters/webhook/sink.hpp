// src/adapters/webhook/sink.hpp - tells a receiver of each event, one signed POST at a time
#pragma once

#include "adapters/webhook/address.hpp"
#include "adapters/webhook/connection.hpp"
#include "adapters/webhook/signature.hpp"
#include "base/time.hpp"
#include "ports/event_sink.hpp"
#include "ports/spans.hpp"

#include <chrono>
#include <expected>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace firstcome::webhook {

/// A 2xx is taken for delivered; 408, 425, 429, 5xx and no whole answer for a receiver that cannot
/// now; any other answer for a no to this event. Asked to wait (`Retry-After`), it does not
/// disturb the receiver until then, five minutes at most, and calls it overloaded meanwhile.
///
/// Thread   as the port says; `stop` any
/// Source   Standard Webhooks
class Sink final : public ports::EventSink {
public:
    struct Options {
        std::string url;  ///< http or https
        std::filesystem::path secret_file;
        std::chrono::milliseconds connect_timeout{3'000};
        std::chrono::milliseconds timeout{10'000};  ///< of one POST, from the connect on
        bool allow_private = false;  ///< may be an address that is not on the public internet
        ports::SpanRecorder* spans = nullptr;  ///< outlives the sink; null: no spans are made
    };

    /// Asks nobody: a receiver that is down now does not keep the service from starting.
    ///
    /// Errors   a sentence for the operator: what is wrong and what to do
    /// Thread   main; `clock` outlives the sink
    [[nodiscard]] static std::expected<std::unique_ptr<Sink>, std::string> open(
        Options options, const base::Clock& clock
    );

    [[nodiscard]] std::string_view consumer() const override { return "webhook"; }

    [[nodiscard]] ports::Delivery deliver(std::span<const domain::Event> events) override;

    /// Ends a delivery at hand, within a second, and refuses later ones: the process ends.
    void stop() { connection_->stop(); }

private:
    Sink(
        std::unique_ptr<Connection> connection,
        Signer signer,
        const base::Clock& clock,
        ports::SpanRecorder* spans,
        Peer peer
    )
        : connection_(std::move(connection)),
          signer_(std::move(signer)),
          clock_(clock),
          spans_(spans),
          peer_(std::move(peer)) {}

    [[nodiscard]] std::optional<ports::DeliveryFailure> post(const domain::Event& event);
    void record(
        const domain::TraceContext& post,
        std::uint64_t parent,
        base::MonotonicTime began,
        const std::expected<Reply, std::string>& reply
    );
    [[nodiscard]] std::optional<ports::DeliveryFailure> judge(const Reply& reply);
    void note(const std::optional<ports::DeliveryFailure>& failure);

    std::unique_ptr<Connection> connection_;
    Signer signer_;
    const base::Clock& clock_;    // outlives
    ports::SpanRecorder* spans_;  // outlives; may be null
    const Peer peer_;
    base::MonotonicTime not_before_;  // the receiver asked for rest until then
    bool failing_ = false;            // said once, not per attempt
};

}  // namespace firstcome::webhook
