/* Certificates for tests, made on the spot: authorities, and keys that they signed, as PEM files.
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/assert.h"

struct authority {
    EVP_PKEY *key;
    X509 *certificate;
};

static inline X509 *certificate_of(EVP_PKEY *key, const char *name, const X509 *issuer, long number)
{
    X509 *certificate = X509_new();
    ASSERT(certificate != NULL);
    (void)X509_set_version(certificate, 2);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(certificate), number);
    (void)X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    (void)X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_NAME *subject = X509_get_subject_name(certificate);
    (void)X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                                     -1, 0);
    const X509_NAME *by = issuer == NULL ? subject : X509_get_subject_name(issuer);
    (void)X509_set_issuer_name(certificate, by);
    (void)X509_set_pubkey(certificate, key);
    return certificate;
}

static inline struct authority authority_make(const char *name)
{
    struct authority made = {.key = EVP_EC_gen("P-256")};
    made.certificate = certificate_of(made.key, name, NULL, 1);
    X509_EXTENSION *is_ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "CA:TRUE");
    ASSERT(is_ca != NULL);
    (void)X509_add_ext(made.certificate, is_ca, -1);
    X509_EXTENSION_free(is_ca);
    int size = X509_sign(made.certificate, made.key, EVP_sha256());
    ASSERT(size > 0);
    return made;
}

static inline void authority_free(struct authority *authority)
{
    X509_free(authority->certificate);
    EVP_PKEY_free(authority->key);
}

static inline void write_certificate(const X509 *certificate, const char *path)
{
    FILE *file = fopen(path, "we");
    ASSERT(file != NULL);
    int written = PEM_write_X509(file, certificate);
    ASSERT(written == 1);
    (void)fclose(file);
}

/* A fresh key and its certificate, into two files. */
static inline void authority_sign(const struct authority *authority, const char *name,
                                  const char *cert_path, const char *key_path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = certificate_of(key, name, authority->certificate, 2);
    int size = X509_sign(certificate, authority->key, EVP_sha256());
    ASSERT(size > 0);
    write_certificate(certificate, cert_path);
    FILE *file = fopen(key_path, "we");
    ASSERT(file != NULL);
    int written = PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    ASSERT(written == 1);
    (void)fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}
