#pragma once

// What Swift cannot see of OpenSSL 3: macros, variadic functions, and a BIO that does no I/O.

#include <stddef.h>
#include <stdint.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/// Where the BIO of one connection reads and writes during one call. Empty between calls.
typedef struct pgweir_tls_io {
    /// Ciphertext not read yet; the caller's memory, lent for one call.
    const unsigned char *in;
    size_t in_count;
    /// Passed to `append` with each run of bytes for the peer.
    void *out;
    void (*append)(void *out, const void *bytes, size_t count);
} pgweir_tls_io;

/// Gives `ssl` a BIO of ours. Returns its ends, which live as long as `ssl`; NULL = no memory.
pgweir_tls_io *pgweir_tls_attach(SSL *ssl);

/// Modes and options that all our contexts have: buffers are given back when idle, no
/// renegotiation, no tickets, no session cache, no pass phrase asked for on the terminal.
void pgweir_tls_harden(SSL_CTX *context);

static const uint64_t pgweir_no_tls1_0 = SSL_OP_NO_TLSv1;
static const uint64_t pgweir_no_tls1_1 = SSL_OP_NO_TLSv1_1;
static const uint64_t pgweir_no_tls1_2 = SSL_OP_NO_TLSv1_2;
static const uint64_t pgweir_no_tls1_3 = SSL_OP_NO_TLSv1_3;

/// Versions such as TLS1_2_VERSION; gaps between them are closed by `forbidden` (SSL_OP_NO_...).
int pgweir_tls_set_versions(SSL_CTX *context, int min, int max, uint64_t forbidden);

/// Server side: takes "postgresql" when the client offers ALPN, refuses any other offer.
void pgweir_tls_select_alpn(SSL_CTX *context);
/// Client side: offers "postgresql". 1 = done.
int pgweir_tls_offer_alpn(SSL_CTX *context);

/// Authorities in `file` are named to clients and trusted. 1 = done.
int pgweir_tls_set_client_authorities(SSL_CTX *context, const char *file);

/// SNI. 1 = done.
int pgweir_tls_set_server_name(SSL *ssl, const char *name);

/// Writes the reason of this thread's oldest error, and forgets all its errors.
void pgweir_tls_take_error(char *text, size_t text_count);

/// HMAC-SHA-256 into `out` (32 bytes). NULL with a count of 0 is an empty string. 1 = done.
int pgweir_hmac_sha256(
    const void *key, size_t key_count, const void *bytes, size_t count, unsigned char *out);
/// PBKDF2-HMAC-SHA-256 into `out` (32 bytes). 1 = done.
int pgweir_pbkdf2_sha256(
    const void *password, size_t password_count, const void *salt, size_t salt_count,
    int iterations, unsigned char *out);
