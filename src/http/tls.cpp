// src/http/tls.cpp - TLS: what we show to clients, and the encrypted side of one connection
#include "http/tls.hpp"

#include "base/private_file.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <exception>
#include <string_view>
#include <utility>

namespace firstcome::http {

namespace {

namespace ssl = asio::ssl;
using boost::system::error_code;

constexpr auto quietly = asio::as_tuple(asio::deferred);

constexpr std::size_t pem_size_max = std::size_t{1024} * 1024;
// TLS 1.2; all suites of 1.3 are good.
constexpr const char* cipher_list = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr const char* groups = "X25519:P-256:P-384";
constexpr std::string_view protocols{"\x08http/1.1", 9};  // as ALPN has it: length, name
constexpr std::string_view session_scope = "firstcome";   // tickets of others are not ours

std::unexpected<std::string> refuse(
    std::string_view option, std::string_view file, std::string_view why
) {
    std::string text{option};
    return std::unexpected(text.append(" ").append(file).append(": ").append(why));
}

/// A client that offers protocols, and not ours, speaks to somebody else (RFC 7301, 3.2).
int select_protocol(
    SSL* /*ssl*/,
    const unsigned char** chosen,
    unsigned char* size,
    const unsigned char* offered,
    unsigned int offered_size,
    void* /*unused*/
) {
    unsigned char* found = nullptr;
    const int outcome = SSL_select_next_proto(
        &found,
        size,
        reinterpret_cast<const unsigned char*>(protocols.data()),
        static_cast<unsigned int>(protocols.size()),
        offered,
        offered_size
    );
    if (outcome != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

void set_rules(SSL_CTX* context) {
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(
        context,
        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
            SSL_OP_PRIORITIZE_CHACHA
    );
    SSL_CTX_set_cipher_list(context, cipher_list);
    SSL_CTX_set1_groups_list(context, groups);
    // Tickets need no memory of ours; a cache of sessions would.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(
        context,
        reinterpret_cast<const unsigned char*>(session_scope.data()),
        static_cast<unsigned int>(session_scope.size())
    );
    SSL_CTX_set_alpn_select_cb(context, select_protocol, nullptr);
}

std::expected<void, std::string> use_pair(ssl::context& context, const TlsFiles& files) {
    constexpr std::string_view of_certificate = "server.tls_certificate";
    constexpr std::string_view of_key = "server.tls_key";
    const auto chain =
        base::read_whole_file(files.certificate, pem_size_max, base::Readers::anybody);
    if (!chain) return refuse(of_certificate, files.certificate, chain.error());
    const auto key = base::read_whole_file(files.key, pem_size_max, base::Readers::owner_and_group);
    if (!key) return refuse(of_key, files.key, key.error());
    error_code error;
    context.use_certificate_chain(asio::buffer(*chain), error);
    if (error) return refuse(of_certificate, files.certificate, "is no chain of PEM certificates");
    // Otherwise OpenSSL would ask on the terminal.
    context.set_password_callback([](std::size_t, auto) { return std::string{}; }, error);
    context.use_private_key(asio::buffer(*key), ssl::context::pem, error);
    if (error) {
        return refuse(
            of_key,
            files.key,
            "is no PEM private key without a password, or not the certificate's; were both "
            "replaced?"
        );
    }
    if (SSL_CTX_check_private_key(context.native_handle()) != 1) {
        return refuse(of_key, files.key, "is not the certificate's; were both replaced?");
    }
    return {};
}

std::expected<void, std::string> ask_clients(ssl::context& context, const TlsFiles& files) {
    constexpr std::string_view of_client_ca = "admin.client_ca_file";
    if (files.clients == ClientCertificate::none) return {};
    error_code error;
    context.load_verify_file(files.client_ca, error);
    if (error) return refuse(of_client_ca, files.client_ca, "holds no PEM certificates");
    STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(files.client_ca.c_str());
    if (names == nullptr) return refuse(of_client_ca, files.client_ca, "was just replaced");
    SSL_CTX_set_client_CA_list(context.native_handle(), names);  // the context's from here on
    const bool required = files.clients == ClientCertificate::required;
    const auto mode =
        required ? ssl::verify_peer | ssl::verify_fail_if_no_peer_cert : ssl::verify_peer;
    context.set_verify_mode(mode, error);
    return {};
}

}  // namespace

TlsContext::TlsContext() : context_(ssl::context::tls_server) {
    set_rules(context_.native_handle());
}

std::expected<std::shared_ptr<TlsContext>, std::string> TlsContext::load(const TlsFiles& files) {
    try {
        auto made = std::make_shared<TlsContext>();
        if (auto used = use_pair(made->context_, files); !used) {
            ERR_clear_error();
            return std::unexpected(std::move(used.error()));
        }
        if (auto asked = ask_clients(made->context_, files); !asked) {
            ERR_clear_error();
            return std::unexpected(std::move(asked.error()));
        }
        return made;
    } catch (const std::exception& failure) {
        return std::unexpected(std::string{"TLS cannot be set up: "} + failure.what());
    }
}

bool is_plain_http(const error_code& error) {
    const auto reason = ERR_GET_REASON(static_cast<unsigned long>(error.value()));
    return error.category() == asio::error::get_ssl_category() &&
           (reason == SSL_R_HTTP_REQUEST || reason == SSL_R_HTTPS_PROXY_REQUEST);
}

std::unique_ptr<TlsStream> TlsStream::over(Socket& socket, TlsContext& context) {
    // Made here: where OpenSSL could not even note its error, Asio would use what is not there.
    SSL* const connection = SSL_new(context.native().native_handle());
    if (connection == nullptr) {
        ERR_clear_error();
        return nullptr;
    }
    try {
        return std::unique_ptr<TlsStream>{new TlsStream{socket, connection}};
    } catch (const std::exception&) {
        return nullptr;
    }
}

Awaitable<error_code> TlsStream::shake_hands() {
    const auto [error] = co_await stream_.async_handshake(ssl::stream_base::server, quietly);
    ERR_clear_error();
    co_return error;
}

Awaitable<TlsStream::Moved> TlsStream::read_some(asio::mutable_buffer room) {
    const auto [error, size] = co_await stream_.async_read_some(room, quietly);
    if (error == ssl::error::stream_truncated) co_return Moved{asio::error::eof, size};
    co_return Moved{error, size};
}

Awaitable<TlsStream::Moved> TlsStream::write_some(asio::const_buffer bytes) {
    const auto [error, size] = co_await stream_.async_write_some(bytes, quietly);
    co_return Moved{error, size};
}

Awaitable<void> TlsStream::say_goodbye() {
    static_cast<void>(co_await stream_.async_shutdown(quietly));
    ERR_clear_error();
}

bool TlsStream::is_certified() {
    SSL* const connection = stream_.native_handle();
    return SSL_get0_peer_certificate(connection) != nullptr &&
           SSL_get_verify_result(connection) == X509_V_OK;
}

}  // namespace firstcome::http
