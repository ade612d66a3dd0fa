// src/wiring/credentials.hpp - all that is secret or signed, from files that may change while we
// serve
#pragma once

#include "base/entropy.hpp"
#include "base/time.hpp"
#include "config/config.hpp"
#include "http/admin_tokens.hpp"
#include "http/buyer_tokens.hpp"
#include "http/tls.hpp"

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace firstcome::wiring {

/// Admin tokens, buyers' keys and certificates, together: a reload takes all of them or none.
///
/// Thread   main; what it hands out: any
class Credentials {
public:
    Credentials(const base::Clock& clock, base::Entropy& entropy)
        : clock_(clock), entropy_(entropy) {}

    /// Reads all files, and makes the admin token when there is none. The error tells the operator
    /// what to change.
    [[nodiscard]] std::expected<void, std::string> open(const config::Config& config);

    /// The same while serving. On an error everything stays as it was.
    [[nodiscard]] std::expected<void, std::string> reload(const config::Config& config);

    /// Whether a file is another one than when it was last taken, or looked at here.
    [[nodiscard]] bool have_changed(const config::Config& config);

    [[nodiscard]] const http::AdminTokens& admins() const { return *admins_; }

    /// Null: auth.mode = none.
    [[nodiscard]] http::BuyerTokens* buyers() const { return buyers_.get(); }

    /// Null: plain HTTP.
    [[nodiscard]] const http::TlsSlot* tls() const { return tls_.get(); }

    /// The same for admin.listen; null: plain HTTP, or it is not set.
    [[nodiscard]] const http::TlsSlot* admin_tls() const { return admin_tls_.get(); }

private:
    /// Which file a name leads to, as far as one can tell from outside.
    using Stamp = std::array<std::int64_t, 5>;

    struct Fresh {
        std::vector<http::AdminEntry> admins;
        std::optional<http::JwtKeys> keys;  // auth.mode = jwt
        std::shared_ptr<http::TlsContext> tls;
        std::shared_ptr<http::TlsContext> admin_tls;
    };

    [[nodiscard]] std::expected<Fresh, std::string> read(const config::Config& config);
    [[nodiscard]] static std::vector<Stamp> stamps_of(const config::Config& config);

    const base::Clock& clock_;  // outlives
    base::Entropy& entropy_;    // outlives
    std::vector<Stamp> stamps_;
    std::unique_ptr<http::AdminTokens> admins_;
    std::unique_ptr<http::BuyerTokens> buyers_;
    std::unique_ptr<http::TlsSlot> tls_;
    std::unique_ptr<http::TlsSlot> admin_tls_;
};

/// What `Credentials::open` would refuse, all of it; makes nothing.
[[nodiscard]] std::vector<std::string> mistakes_in_credentials(const config::Config& config);

}  // namespace firstcome::wiring
