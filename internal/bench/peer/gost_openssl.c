/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The GOST engine of OpenSSL, see gost.h. KEY is a file with the PKCS #8 form, DER. The engine is loaded here and not by
 * a configuration file.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/engine.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "gost.h"

static EVP_MD_CTX *hashing;
static const EVP_MD *md;
static EVP_PKEY_CTX *signing, *verifying;

static ENGINE *load(void)
{
    ENGINE *gost;
    ENGINE_load_dynamic();
    gost = ENGINE_by_id("gost");
    if (!gost || !ENGINE_init(gost) || !ENGINE_set_default(gost, ENGINE_METHOD_ALL)) fail("no engine gost");
    return gost;
}

static const char *version(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}

static void start_hash(int bits)
{
    md = ENGINE_get_digest(load(), OBJ_sn2nid(bits == 256 ? "md_gost12_256" : "md_gost12_512"));
    hashing = EVP_MD_CTX_new();
    if (!md || !hashing) fail("no Streebog");
}

static void hash(const unsigned char *data, size_t size, unsigned char *digest)
{
    if (!EVP_DigestInit_ex(hashing, md, NULL) || !EVP_DigestUpdate(hashing, data, size) || !EVP_DigestFinal_ex(hashing, digest, NULL))
        fail("not hashed");
}

static void use_key(const char *curve, const char *path)
{
    PKCS8_PRIV_KEY_INFO *info;
    EVP_PKEY *key;
    const unsigned char *der;
    (void)curve;
    load();
    read_file(path);
    der = job.data;
    info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &der, job.size);
    key = info ? EVP_PKCS82PKEY(info) : NULL;
    if (!key) fail("key not read");
    signing = EVP_PKEY_CTX_new(key, NULL);
    verifying = EVP_PKEY_CTX_new(key, NULL);
    if (!signing || !verifying || EVP_PKEY_sign_init(signing) <= 0 || EVP_PKEY_verify_init(verifying) <= 0) fail("key not usable");
}

static size_t sign(const unsigned char *digest, size_t size, unsigned char *signature)
{
    size_t n = sizeof job.signature;
    if (EVP_PKEY_sign(signing, signature, &n, digest, size) <= 0) fail("not signed");
    return n;
}

static int verify(const unsigned char *digest, size_t size, const unsigned char *signature)
{
    return EVP_PKEY_verify(verifying, signature, 2 * size, digest, size) == 1;
}
