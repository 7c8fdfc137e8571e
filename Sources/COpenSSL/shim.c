#include "COpenSSL.h"

#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

// The BIO: reads from memory lent for one call, writes through a callback.

static int io_read(BIO *bio, char *to, int count) {
    pgweir_tls_io *io = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (count <= 0) return 0;
    if (io->in_count == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t taken = (size_t)count < io->in_count ? (size_t)count : io->in_count;
    memcpy(to, io->in, taken);
    io->in += taken;
    io->in_count -= taken;
    return (int)taken;
}

static int io_write(BIO *bio, const char *from, int count) {
    pgweir_tls_io *io = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (count <= 0) return 0;
    if (io->append == NULL) return -1;
    io->append(io->out, from, (size_t)count);
    return count;
}

static long io_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static int io_create(BIO *bio) {
    pgweir_tls_io *io = OPENSSL_zalloc(sizeof *io);
    if (io == NULL) return 0;
    BIO_set_data(bio, io);
    BIO_set_init(bio, 1);
    return 1;
}

static int io_destroy(BIO *bio) {
    OPENSSL_free(BIO_get_data(bio));
    BIO_set_data(bio, NULL);
    return 1;
}

static BIO_METHOD *io_method;
static CRYPTO_ONCE io_method_once = CRYPTO_ONCE_STATIC_INIT;

static void io_method_make(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "pgweir");
    if (method == NULL) return;
    BIO_meth_set_read(method, io_read);
    BIO_meth_set_write(method, io_write);
    BIO_meth_set_ctrl(method, io_control);
    BIO_meth_set_create(method, io_create);
    BIO_meth_set_destroy(method, io_destroy);
    io_method = method;
}

pgweir_tls_io *pgweir_tls_attach(SSL *ssl) {
    if (!CRYPTO_THREAD_run_once(&io_method_once, io_method_make)) return NULL;
    if (io_method == NULL) return NULL;
    BIO *bio = BIO_new(io_method);
    if (bio == NULL) return NULL;
    SSL_set_bio(ssl, bio, bio);
    return BIO_get_data(bio);
}

// Contexts.

static int no_pass_phrase(char *text, int text_count, int is_for_writing, void *context) {
    (void)text;
    (void)text_count;
    (void)is_for_writing;
    (void)context;
    return -1;
}

void pgweir_tls_harden(SSL_CTX *context) {
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(
        context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_default_passwd_cb(context, no_pass_phrase);
}

int pgweir_tls_set_versions(SSL_CTX *context, int min, int max, uint64_t forbidden) {
    SSL_CTX_set_options(context, forbidden);
    return SSL_CTX_set_min_proto_version(context, min)
        && SSL_CTX_set_max_proto_version(context, max);
}

/// ALPN's wire form: a length byte, then the name.
static const unsigned char alpn[] = "\x0apostgresql";

static int select_alpn(
    SSL *ssl, const unsigned char **out, unsigned char *out_count, const unsigned char *offer,
    unsigned int offer_count, void *context) {
    (void)ssl;
    (void)context;
    int choice = SSL_select_next_proto(
        (unsigned char **)out, out_count, alpn, sizeof alpn - 1, offer, offer_count);
    return choice == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

void pgweir_tls_select_alpn(SSL_CTX *context) {
    SSL_CTX_set_alpn_select_cb(context, select_alpn, NULL);
}

int pgweir_tls_offer_alpn(SSL_CTX *context) {
    return SSL_CTX_set_alpn_protos(context, alpn, sizeof alpn - 1) == 0;
}

int pgweir_tls_set_client_authorities(SSL_CTX *context, const char *file) {
    if (!SSL_CTX_load_verify_file(context, file)) return 0;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(file);
    if (names == NULL) return 0;
    SSL_CTX_set_client_CA_list(context, names);
    return 1;
}

int pgweir_tls_set_server_name(SSL *ssl, const char *name) {
    return SSL_set_tlsext_host_name(ssl, name) == 1;
}

void pgweir_tls_take_error(char *text, size_t text_count) {
    unsigned long code = ERR_get_error();
    const char *reason = NULL;
    if (code != 0) {
        reason = ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code))
                                        : ERR_reason_error_string(code);
    }
    if (reason != NULL) {
        snprintf(text, text_count, "%s", reason);
    } else if (code != 0) {
        snprintf(text, text_count, "OpenSSL error %lx", code);
    } else {
        snprintf(text, text_count, "no reason given");
    }
    ERR_clear_error();
}

// Digests.

int pgweir_hmac_sha256(
    const void *key, size_t key_count, const void *bytes, size_t count, unsigned char *out) {
    unsigned int out_count = 32;
    return HMAC(
               EVP_sha256(), key_count ? key : "", (int)key_count, count ? bytes : (const void *)"",
               count, out, &out_count)
        != NULL;
}

int pgweir_pbkdf2_sha256(
    const void *password, size_t password_count, const void *salt, size_t salt_count,
    int iterations, unsigned char *out) {
    return PKCS5_PBKDF2_HMAC(
        password_count ? password : "", (int)password_count, salt_count ? salt : (const void *)"",
        (int)salt_count, iterations, EVP_sha256(), 32, out);
}
