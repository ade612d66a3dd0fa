// src/adapters/redis/tls.hpp - TLS towards a server whose certificate is checked
#pragma once

#include <expected>
#include <memory>
#include <string>

struct ssl_ctx_st;
struct ssl_st;

namespace firstcome::redis {

struct TlsOptions {
    std::string ca_file{};           ///< PEM; empty: the system's authorities
    std::string certificate_file{};  ///< PEM; empty: none is shown
    std::string key_file{};          ///< PEM; empty: in the certificate's file
};

/// Certificates as they were read once; TLS 1.2 or newer.
class TlsContext {
public:
    /// The error names the file and what is wrong with it.
    [[nodiscard]] static std::expected<TlsContext, std::string> read(const TlsOptions& options);

    struct FreeSession {
        void operator()(ssl_st* session) const;
    };

    using Session = std::unique_ptr<ssl_st, FreeSession>;

    /// A session over a connected socket, which will accept only a certificate for `host`, a name
    /// or an IP address. Nothing: no memory.
    [[nodiscard]] Session start(int descriptor, const std::string& host) const;

private:
    struct FreeContext {
        void operator()(ssl_ctx_st* context) const;
    };

    std::unique_ptr<ssl_ctx_st, FreeContext> context_;
};

/// The handshake came as far as the server's certificate, and that does not hold.
[[nodiscard]] bool is_distrusted(ssl_st* session);

/// Why the last call on this session failed, in words.
[[nodiscard]] std::string tls_failure(ssl_st* session);

}  // namespace firstcome::redis
