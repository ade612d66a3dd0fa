// src/adapters/redis/tls.cpp - TLS towards a server whose certificate is checked
#include "adapters/redis/tls.hpp"

#include "base/assert.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <sys/socket.h>

namespace firstcome::redis {

namespace {

std::string last_error() {
    const unsigned long code = ERR_peek_last_error();
    if (code == 0) return errno != 0 ? std::strerror(errno) : "the connection was closed";
    const char* reason = ERR_reason_error_string(code);
    return reason != nullptr ? reason : "TLS error " + std::to_string(code);
}

std::unexpected<std::string> cannot_read(const std::string& file) {
    return std::unexpected("cannot read " + file + ": " + last_error());
}

// OpenSSL's own write would raise SIGPIPE on a connection that broke.
int write_quietly(BIO* bio, const char* bytes, int size) {
    int descriptor = -1;
    BIO_get_fd(bio, &descriptor);
    const ssize_t sent = ::send(descriptor, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
    BIO_clear_retry_flags(bio);
    if (sent < 0 && BIO_sock_should_retry(-1) != 0) BIO_set_retry_write(bio);
    return static_cast<int>(sent);
}

const BIO_METHOD* quiet_socket() {
    static BIO_METHOD* const method = [] {
        const BIO_METHOD* plain = BIO_s_socket();
        BIO_METHOD* quiet = BIO_meth_new(BIO_TYPE_SOCKET, "socket without SIGPIPE");
        FC_ASSERT(quiet != nullptr);
        BIO_meth_set_read(quiet, BIO_meth_get_read(plain));
        BIO_meth_set_write(quiet, write_quietly);
        BIO_meth_set_puts(quiet, BIO_meth_get_puts(plain));
        BIO_meth_set_ctrl(quiet, BIO_meth_get_ctrl(plain));
        BIO_meth_set_create(quiet, BIO_meth_get_create(plain));
        BIO_meth_set_destroy(quiet, BIO_meth_get_destroy(plain));
        return quiet;
    }();
    return method;
}

bool is_ip_address(const std::string& host) {
    std::array<unsigned char, 16> ignored{};
    return ::inet_pton(AF_INET, host.c_str(), ignored.data()) == 1 ||
           ::inet_pton(AF_INET6, host.c_str(), ignored.data()) == 1;
}

bool expect_host(SSL* session, const std::string& host) {
    if (is_ip_address(host)) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host.c_str()) == 1;
    }
    // The macro for this casts as C does.
    char* name = const_cast<char*>(host.c_str());
    return SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name) == 1 &&
           SSL_set1_host(session, host.c_str()) == 1;
}

}  // namespace

void TlsContext::FreeContext::operator()(ssl_ctx_st* context) const {
    SSL_CTX_free(context);
}

void TlsContext::FreeSession::operator()(ssl_st* session) const {
    SSL_free(session);
}

std::expected<TlsContext, std::string> TlsContext::read(const TlsOptions& options) {
    ERR_clear_error();
    TlsContext tls;
    tls.context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX* context = tls.context_.get();
    if (context == nullptr) return std::unexpected("no TLS: " + last_error());
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (options.ca_file.empty()) {
        SSL_CTX_set_default_verify_paths(context);
    } else if (SSL_CTX_load_verify_file(context, options.ca_file.c_str()) != 1) {
        return cannot_read(options.ca_file);
    }
    const std::string& certificate = options.certificate_file;
    if (certificate.empty()) return tls;
    if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1) {
        return cannot_read(certificate);
    }
    const std::string& key = options.key_file.empty() ? certificate : options.key_file;
    if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) {
        return cannot_read(key);
    }
    return tls;
}

TlsContext::Session TlsContext::start(int descriptor, const std::string& host) const {
    Session session{SSL_new(context_.get())};
    BIO* bio = BIO_new(quiet_socket());
    if (session == nullptr || bio == nullptr || !expect_host(session.get(), host)) {
        BIO_free(bio);
        return nullptr;
    }
    BIO_set_fd(bio, descriptor, BIO_NOCLOSE);
    SSL_set_bio(session.get(), bio, bio);
    SSL_set_connect_state(session.get());
    return session;
}

bool is_distrusted(ssl_st* session) {
    return SSL_get_verify_result(session) != X509_V_OK;
}

std::string tls_failure(ssl_st* session) {
    if (!is_distrusted(session)) return "TLS: " + last_error();
    return std::string("the server's certificate is not accepted: ") +
           X509_verify_cert_error_string(SSL_get_verify_result(session));
}

}  // namespace firstcome::redis
