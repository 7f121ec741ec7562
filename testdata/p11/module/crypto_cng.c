/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Windows CNG: RSA and ECDSA. There is no GOST here. */
#ifdef _WIN32
#include <windows.h>

#include <bcrypt.h>
#include <ncrypt.h>
#include <stdlib.h>
#include <string.h>
#include <wincrypt.h>

#include "crypto.h"

#ifndef NCRYPT_PKCS8_PRIVATE_KEY_BLOB
#define NCRYPT_PKCS8_PRIVATE_KEY_BLOB L"PKCS8_PRIVATEKEY"
#endif

static NCRYPT_PROV_HANDLE provider;

/* RSA keys of files are BCrypt's: wine 8 has that half of CNG only. Others are NCrypt's. */
struct key {
	NCRYPT_KEY_HANDLE stored;
	BCRYPT_KEY_HANDLE rsa;
	byte *spki;
	size_t spkilen;
};

static struct key *stored(NCRYPT_KEY_HANDLE h)
{
	struct key *k = calloc(1, sizeof *k);

	if (k)
		k->stored = h;
	return k;
}

/* put writes a number in the width the blob has for it. */
static byte *put(byte *at, struct number v, size_t width)
{
	memcpy(at + width - v.n, v.p, v.n);
	return at + width;
}

static int import_rsa(struct key *k, const struct number v[8])
{
	enum { N, E, D, P, Q, DP, DQ, QINV };
	size_t half = v[P].n, len = sizeof(BCRYPT_RSAKEY_BLOB) + v[E].n + 2 * v[N].n + 3 * half + 2 * v[Q].n;
	BCRYPT_RSAKEY_BLOB *head = calloc(1, len);
	BCRYPT_ALG_HANDLE a = NULL;
	byte *at;
	int bad;

	if (!head || BCryptOpenAlgorithmProvider(&a, BCRYPT_RSA_ALGORITHM, NULL, 0))
		return -1;
	*head = (BCRYPT_RSAKEY_BLOB){BCRYPT_RSAFULLPRIVATE_MAGIC, (ULONG)v[N].n * 8, (ULONG)v[E].n, (ULONG)v[N].n, (ULONG)half, (ULONG)v[Q].n};
	at = put((byte *)(head + 1), v[E], v[E].n);
	at = put(at, v[N], v[N].n);
	at = put(at, v[P], half);
	at = put(at, v[Q], v[Q].n);
	at = put(at, v[DP], half);
	at = put(at, v[DQ], v[Q].n);
	at = put(at, v[QINV], half);
	put(at, v[D], v[N].n);
	bad = BCryptImportKeyPair(a, NULL, BCRYPT_RSAFULLPRIVATE_BLOB, &k->rsa, (byte *)head, (ULONG)len, 0);
	free(head);
	return bad ? -1 : 0;
}

/* wrap puts a DER header before the contents that already lie at the end of the buffer, and returns where it begins. */
static size_t wrap(byte *buffer, size_t begin, size_t end, byte tag)
{
	size_t n = end - begin;

	buffer[--begin] = (byte)n;
	if (n > 127) {
		buffer[--begin] = (byte)(n >> 8);
		buffer[--begin] = 0x82;
	}
	buffer[--begin] = tag;
	return begin;
}

/* write_spki puts the public half together, from its end to its beginning. */
static int write_spki(struct key *k, struct number algorithm, const struct number v[8])
{
	byte b[4096];
	size_t end = sizeof b, at = end;

	for (int i = 1; i >= 0; i--) {
		size_t from = at;

		memcpy(b + (at -= v[i].n), v[i].p, v[i].n);
		b[--at] = 0;
		at = wrap(b, at + (v[i].p[0] < 128), from, 0x02);
	}
	at = wrap(b, at, end, 0x30);
	b[--at] = 0;
	at = wrap(b, at, end, 0x03);
	memcpy(b + (at -= algorithm.n), algorithm.p, algorithm.n);
	at = wrap(b, at, end, 0x30);
	k->spkilen = end - at;
	k->spki = malloc(k->spkilen);
	if (k->spki)
		memcpy(k->spki, b + at, k->spkilen);
	return k->spki ? 0 : -1;
}

static struct key *rsa_read(const byte *pkcs8, size_t len)
{
	struct number v[8], algorithm;
	struct key *k;

	if (der_rsa_private(pkcs8, len, v, &algorithm) || v[0].n > 1024 || !(k = stored(0)))
		return NULL;
	if (!import_rsa(k, v) && !write_spki(k, algorithm, v))
		return k;
	free(k);
	return NULL;
}

/* rsa_sign takes apart the DigestInfo that PKCS#11 signs, because CNG wants the digest and its name. */
static int rsa_sign(struct key *k, const byte *in, size_t n, byte *out, size_t *outlen)
{
	static const struct {
		size_t len;
		byte last; /* of the digest's OID, 2.16.840.1.101.3.4.2.x */
		const wchar_t *name;
	} digests[] = {{32, 1, BCRYPT_SHA256_ALGORITHM}, {48, 2, BCRYPT_SHA384_ALGORITHM}, {64, 3, BCRYPT_SHA512_ALGORITHM}};
	DWORD len = 0;

	for (size_t i = 0; i < sizeof digests / sizeof *digests; i++) {
		BCRYPT_PKCS1_PADDING_INFO padding = {digests[i].name};

		if (n != 19 + digests[i].len || in[14] != digests[i].last)
			continue;
		if (BCryptSignHash(k->rsa, &padding, (byte *)in + 19, (ULONG)digests[i].len, out, MAX_SIGNATURE, &len, BCRYPT_PAD_PKCS1))
			return -1;
		*outlen = len;
		return 0;
	}
	return -1;
}

int crypto_start(void)
{
	return provider || NCryptOpenStorageProvider(&provider, MS_KEY_STORAGE_PROVIDER, 0) == 0 ? 0 : -1;
}

void wipe(void *p, size_t n) { SecureZeroMemory(p, n); }

struct key *key_read(const byte *pkcs8, size_t len)
{
	NCRYPT_KEY_HANDLE k = 0;
	struct key *rsa = rsa_read(pkcs8, len);

	if (rsa)
		return rsa;
	if (NCryptImportKey(provider, 0, NCRYPT_PKCS8_PRIVATE_KEY_BLOB, NULL, &k, (byte *)pkcs8, (DWORD)len, NCRYPT_SILENT_FLAG))
		return NULL;
	return stored(k);
}

struct key *key_make(enum kind kind, const byte *params, size_t len)
{
	static const byte p256[] = {0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};
	NCRYPT_KEY_HANDLE k = 0;
	DWORD bits = (DWORD)len, policy = NCRYPT_ALLOW_PLAINTEXT_EXPORT_FLAG | NCRYPT_ALLOW_EXPORT_FLAG;
	const wchar_t *name = BCRYPT_RSA_ALGORITHM;

	if (kind == KIND_EC) {
		if (len != sizeof p256 || memcmp(params, p256, len))
			return NULL;
		name = BCRYPT_ECDSA_P256_ALGORITHM;
	} else if (kind != KIND_RSA) {
		return NULL;
	}
	if (NCryptCreatePersistedKey(provider, &k, name, NULL, 0, 0))
		return NULL;
	if (kind == KIND_RSA)
		NCryptSetProperty(k, NCRYPT_LENGTH_PROPERTY, (byte *)&bits, sizeof bits, 0);
	NCryptSetProperty(k, NCRYPT_EXPORT_POLICY_PROPERTY, (byte *)&policy, sizeof policy, 0);
	if (NCryptFinalizeKey(k, NCRYPT_SILENT_FLAG)) {
		NCryptFreeObject(k);
		return NULL;
	}
	return stored(k);
}

byte *key_write(struct key *k, size_t *len)
{
	DWORD n = 0;
	byte *der;

	if (NCryptExportKey(k->stored, 0, NCRYPT_PKCS8_PRIVATE_KEY_BLOB, NULL, NULL, 0, &n, 0) || !(der = malloc(n)))
		return NULL;
	if (NCryptExportKey(k->stored, 0, NCRYPT_PKCS8_PRIVATE_KEY_BLOB, NULL, der, n, &n, 0)) {
		free(der);
		return NULL;
	}
	*len = n;
	return der;
}

byte *key_spki(struct key *k, size_t *len)
{
	CERT_PUBLIC_KEY_INFO *info = NULL;
	byte *der = NULL;
	DWORD n = 0;

	if (k->spki) {
		if ((der = malloc(*len = k->spkilen)))
			memcpy(der, k->spki, k->spkilen);
		return der;
	}
	if (CryptExportPublicKeyInfo(k->stored, 0, X509_ASN_ENCODING, NULL, &n) && (info = malloc(n)) &&
		CryptExportPublicKeyInfo(k->stored, 0, X509_ASN_ENCODING, info, &n) &&
		CryptEncodeObject(X509_ASN_ENCODING, X509_PUBLIC_KEY_INFO, info, NULL, &n) && (der = malloc(n)) &&
		CryptEncodeObject(X509_ASN_ENCODING, X509_PUBLIC_KEY_INFO, info, der, &n)) {
		*len = n;
		free(info);
		return der;
	}
	free(info);
	free(der);
	return NULL;
}

int key_sign(struct key *k, enum kind kind, const byte *in, size_t n, byte *out, size_t *outlen)
{
	BCRYPT_PKCS1_PADDING_INFO plain = {NULL};
	DWORD len = 0;

	if (k->rsa)
		return rsa_sign(k, in, n, out, outlen);
	if (NCryptSignHash(k->stored, kind == KIND_RSA ? &plain : NULL, (byte *)in, (DWORD)n, out, MAX_SIGNATURE, &len,
			kind == KIND_RSA ? BCRYPT_PAD_PKCS1 : 0))
		return -1;
	*outlen = len;
	return 0;
}

int key_agree(struct key *k, const byte *spki, size_t n, const byte *ukm, size_t ukmlen, byte *out, size_t *outlen)
{
	(void)k, (void)spki, (void)n, (void)ukm, (void)ukmlen, (void)out, (void)outlen;
	return -1;
}

int digest(const char *name, const byte *in, size_t n, byte *out, size_t *outlen)
{
	BCRYPT_ALG_HANDLE a = NULL;
	BCRYPT_HASH_HANDLE h = NULL;
	int bad;

	if (strcmp(name, "sha256") || BCryptOpenAlgorithmProvider(&a, BCRYPT_SHA256_ALGORITHM, NULL, 0))
		return -1;
	bad = BCryptCreateHash(a, &h, NULL, 0, NULL, 0, 0) || BCryptHashData(h, (byte *)in, (ULONG)n, 0) || BCryptFinishHash(h, out, 32, 0);
	if (h)
		BCryptDestroyHash(h);
	BCryptCloseAlgorithmProvider(a, 0);
	*outlen = 32;
	return bad ? -1 : 0;
}
#endif
