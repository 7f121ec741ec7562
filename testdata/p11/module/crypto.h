/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the module needs of cryptography: libcrypto with the gost engine (crypto_openssl.c), or Windows CNG without GOST
 * (crypto_cng.c). Results of sizes are in bytes; functions return 0 on success.
 */
#ifndef CRYPTO_H
#define CRYPTO_H

#include <stddef.h>

typedef unsigned char byte;
struct key; /* a private key */

enum kind { KIND_RSA, KIND_EC, KIND_GOST256, KIND_GOST512 };
enum { MAX_SIGNATURE = 1024, MAX_DIGEST = 64 };

int crypto_start(void);

/* der_rsa_private, for the one library that does not read keys itself. */
struct number {
	const byte *p;
	size_t n;
};
int der_rsa_private(const byte *pkcs8, size_t n, struct number out[8], struct number *algorithm);

/* key_read takes a PKCS#8 PrivateKeyInfo. */
struct key *key_read(const byte *pkcs8, size_t len);
/* key_make generates; params is the DER OID of the curve or parameter set, or for RSA NULL and len the bits. */
struct key *key_make(enum kind kind, const byte *params, size_t len);
/* key_write and key_spki give DER in memory the caller frees. */
byte *key_write(struct key *k, size_t *len);
byte *key_spki(struct key *k, size_t *len);
/* key_sign: RSA pads the block as PKCS#1 type 1, EC gives r || s, GOST big-endian s || r of the digest. */
int key_sign(struct key *k, enum kind kind, const byte *in, size_t n, byte *out, size_t *outlen);
/* key_agree is VKO with the peer's SubjectPublicKeyInfo; the key size of the hash, 32 or 64, is in *outlen on entry. */
int key_agree(struct key *k, const byte *spki, size_t n, const byte *ukm, size_t ukmlen, byte *out, size_t *outlen);

/* digest hashes with "sha256", "streebog256", "streebog512" or "gost94". */
int digest(const char *name, const byte *in, size_t n, byte *out, size_t *outlen);

/* wipe forgets a secret in a way the compiler does not drop. */
void wipe(void *p, size_t n);

#endif
