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

static NCRYPT_KEY_HANDLE handle(struct key *k) { return (NCRYPT_KEY_HANDLE)k; }

int crypto_start(void)
{
	return provider || NCryptOpenStorageProvider(&provider, MS_KEY_STORAGE_PROVIDER, 0) == 0 ? 0 : -1;
}

void wipe(void *p, size_t n) { SecureZeroMemory(p, n); }

struct key *key_read(const byte *pkcs8, size_t len)
{
	NCRYPT_KEY_HANDLE k = 0;

	if (NCryptImportKey(provider, 0, NCRYPT_PKCS8_PRIVATE_KEY_BLOB, NULL, &k, (byte *)pkcs8, (DWORD)len, NCRYPT_SILENT_FLAG))
		return NULL;
	return (struct key *)k;
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
	return (struct key *)k;
}

byte *key_write(struct key *k, size_t *len)
{
	DWORD n = 0;
	byte *der;

	if (NCryptExportKey(handle(k), 0, NCRYPT_PKCS8_PRIVATE_KEY_BLOB, NULL, NULL, 0, &n, 0) || !(der = malloc(n)))
		return NULL;
	if (NCryptExportKey(handle(k), 0, NCRYPT_PKCS8_PRIVATE_KEY_BLOB, NULL, der, n, &n, 0)) {
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

	if (CryptExportPublicKeyInfo(handle(k), 0, X509_ASN_ENCODING, NULL, &n) && (info = malloc(n)) &&
		CryptExportPublicKeyInfo(handle(k), 0, X509_ASN_ENCODING, info, &n) &&
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

	if (NCryptSignHash(handle(k), kind == KIND_RSA ? &plain : NULL, (byte *)in, (DWORD)n, out, MAX_SIGNATURE, &len,
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
