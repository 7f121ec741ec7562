/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libcrypto and the gost engine. The whole file is empty for Windows, see crypto_cng.c. */
#ifndef _WIN32
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto.h"

#include <openssl/ec.h>
#include <openssl/engine.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

static EVP_PKEY *pkey(struct key *k) { return (EVP_PKEY *)k; }

int crypto_start(void)
{
	static int done;
	ENGINE *e;

	if (done)
		return 0;
	ENGINE_load_dynamic();
	e = ENGINE_by_id("gost");
	if (!e || !ENGINE_init(e))
		return -1;
	if (!ENGINE_set_default(e, ENGINE_METHOD_PKEY_METHS | ENGINE_METHOD_PKEY_ASN1_METHS | ENGINE_METHOD_DIGESTS))
		return -1;
	done = 1;
	return 0;
}

void wipe(void *p, size_t n) { OPENSSL_cleanse(p, n); }

struct key *key_read(const byte *pkcs8, size_t len)
{
	return (struct key *)d2i_AutoPrivateKey(NULL, &pkcs8, (long)len);
}

static byte *owned(byte *der, int n, size_t *len)
{
	byte *copy = n > 0 ? malloc((size_t)n) : NULL;

	if (copy) {
		memcpy(copy, der, (size_t)n);
		*len = (size_t)n;
	}
	OPENSSL_free(der);
	return copy;
}

byte *key_write(struct key *k, size_t *len)
{
	PKCS8_PRIV_KEY_INFO *p = EVP_PKEY2PKCS8(pkey(k));
	byte *der = NULL;
	int n = p ? i2d_PKCS8_PRIV_KEY_INFO(p, &der) : -1;

	PKCS8_PRIV_KEY_INFO_free(p);
	return owned(der, n, len);
}

byte *key_spki(struct key *k, size_t *len)
{
	byte *der = NULL;
	int n = i2d_PUBKEY(pkey(k), &der);

	return owned(der, n, len);
}

/* paramset is the engine's name of a GOST parameter set. */
static const char *paramset(const byte *der, size_t len)
{
	static const struct {
		const char *oid, *name;
	} sets[] = {
		{"1.2.643.2.2.35.1", "A"}, {"1.2.643.2.2.35.2", "B"}, {"1.2.643.2.2.35.3", "C"}, {"1.2.643.2.2.36.0", "XA"},
		{"1.2.643.2.2.36.1", "XB"}, {"1.2.643.7.1.2.1.1.1", "TCA"}, {"1.2.643.7.1.2.1.1.2", "TCB"},
		{"1.2.643.7.1.2.1.1.3", "TCC"}, {"1.2.643.7.1.2.1.1.4", "TCD"}, {"1.2.643.7.1.2.1.2.1", "A"},
		{"1.2.643.7.1.2.1.2.2", "B"}, {"1.2.643.7.1.2.1.2.3", "C"},
	};
	ASN1_OBJECT *o = d2i_ASN1_OBJECT(NULL, &der, (long)len);
	char text[64] = "";

	if (o)
		OBJ_obj2txt(text, sizeof text, o, 1);
	ASN1_OBJECT_free(o);
	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
		if (!strcmp(sets[i].oid, text))
			return sets[i].name;
	return NULL;
}

static int configure(EVP_PKEY_CTX *c, enum kind kind, const byte *params, size_t len)
{
	ASN1_OBJECT *o;
	const char *name;
	int nid;

	switch (kind) {
	case KIND_RSA:
		return EVP_PKEY_CTX_set_rsa_keygen_bits(c, (int)len);
	case KIND_EC:
		o = d2i_ASN1_OBJECT(NULL, &params, (long)len);
		nid = o ? OBJ_obj2nid(o) : NID_undef;
		ASN1_OBJECT_free(o);
		return EVP_PKEY_CTX_set_ec_paramgen_curve_nid(c, nid) > 0 && EVP_PKEY_CTX_set_ec_param_enc(c, OPENSSL_EC_NAMED_CURVE) > 0;
	default:
		name = paramset(params, len);
		return name && EVP_PKEY_CTX_ctrl_str(c, "paramset", name) > 0;
	}
}

struct key *key_make(enum kind kind, const byte *params, size_t len)
{
	static const int nids[] = {EVP_PKEY_RSA, EVP_PKEY_EC, NID_id_GostR3410_2012_256, NID_id_GostR3410_2012_512};
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_id(nids[kind], NULL);
	EVP_PKEY *k = NULL;

	if (!c || EVP_PKEY_keygen_init(c) <= 0 || configure(c, kind, params, len) <= 0 || EVP_PKEY_keygen(c, &k) <= 0)
		k = NULL;
	EVP_PKEY_CTX_free(c);
	return (struct key *)k;
}

/* bare turns the DER signature of libcrypto into r || s. */
static int bare(EVP_PKEY *k, const byte *der, size_t n, byte *out, size_t *outlen)
{
	ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &der, (long)n);
	int half = (EVP_PKEY_get_bits(k) + 7) / 8, bad;

	if (!s)
		return -1;
	bad = BN_bn2binpad(ECDSA_SIG_get0_r(s), out, half) != half || BN_bn2binpad(ECDSA_SIG_get0_s(s), out + half, half) != half;
	*outlen = 2 * (size_t)half;
	ECDSA_SIG_free(s);
	return bad;
}

int key_sign(struct key *k, enum kind kind, const byte *in, size_t n, byte *out, size_t *outlen)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(pkey(k), NULL);
	byte sig[MAX_SIGNATURE];
	size_t len = sizeof sig;
	int ok = c && EVP_PKEY_sign_init(c) > 0;

	if (ok && kind == KIND_RSA)
		ok = EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) > 0;
	ok = ok && EVP_PKEY_sign(c, sig, &len, in, n) > 0;
	EVP_PKEY_CTX_free(c);
	if (!ok)
		return -1;
	if (kind == KIND_EC)
		return bare(pkey(k), sig, len, out, outlen);
	memcpy(out, sig, len);
	*outlen = len;
	return 0;
}

int key_agree(struct key *k, const byte *spki, size_t n, const byte *ukm, size_t ukmlen, byte *out, size_t *outlen)
{
	EVP_PKEY *peer = d2i_PUBKEY(NULL, &spki, (long)n);
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(pkey(k), NULL);
	char hex[2 * 64 + 1];
	size_t len = 64;
	int ok = peer && c && ukmlen && ukmlen <= 64 && EVP_PKEY_derive_init(c) > 0;

	for (size_t i = 0; ok && i < ukmlen; i++)
		sprintf(hex + 2 * i, "%02x", ukm[i]);
	ok = ok && EVP_PKEY_CTX_ctrl_str(c, "ukmhex", hex) > 0 && EVP_PKEY_CTX_ctrl_str(c, "vko", *outlen == 64 ? "512" : "256") > 0 &&
		EVP_PKEY_derive_set_peer(c, peer) > 0 && EVP_PKEY_derive(c, NULL, &len) > 0 && len <= 64 && EVP_PKEY_derive(c, out, &len) > 0;
	*outlen = len;
	EVP_PKEY_free(peer);
	EVP_PKEY_CTX_free(c);
	return ok ? 0 : -1;
}

int digest(const char *name, const byte *in, size_t n, byte *out, size_t *outlen)
{
	static const struct {
		const char *name, *openssl;
	} names[] = {{"sha256", "sha256"}, {"streebog256", "md_gost12_256"}, {"streebog512", "md_gost12_512"}, {"gost94", "md_gost94"}};
	unsigned len = 0;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const EVP_MD *md;

		if (strcmp(names[i].name, name))
			continue;
		md = EVP_get_digestbyname(names[i].openssl);
		if (!md || EVP_Digest(in, n, out, &len, md, NULL) <= 0)
			return -1;
		*outlen = len;
		return 0;
	}
	return -1;
}
#endif
