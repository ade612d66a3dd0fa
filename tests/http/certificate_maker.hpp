// tests/http/certificate_maker.hpp - a certificate that vouches for itself, and its key
#pragma once

#include "base/assert.hpp"
#include "tests/http/token_maker.hpp"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace firstcome::http {

/// Over the public key of a PEM private key, valid for an hour, as PEM.
inline std::string self_signed(const std::string& private_pem) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> from{
        BIO_new_mem_buf(private_pem.data(), static_cast<int>(private_pem.size())), BIO_free};
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{
        PEM_read_bio_PrivateKey(from.get(), nullptr, nullptr, nullptr), EVP_PKEY_free};
    const std::unique_ptr<X509, decltype(&X509_free)> made{X509_new(), X509_free};
    X509_set_version(made.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
    X509_NAME* name = X509_get_subject_name(made.get());
    const auto* text = reinterpret_cast<const unsigned char*>("localhost");
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0);
    X509_set_issuer_name(made.get(), name);
    X509_set_pubkey(made.get(), key.get());
    FC_ASSERT(X509_sign(made.get(), key.get(), EVP_sha256()) != 0);

    const std::unique_ptr<BIO, decltype(&BIO_free)> out{BIO_new(BIO_s_mem()), BIO_free};
    PEM_write_bio_X509(out.get(), made.get());
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(out.get(), &bytes);
    return {bytes, static_cast<std::size_t>(size)};
}

}  // namespace firstcome::http
