/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * libgcrypt, see gost.h. It takes the digest as a number, whose highest byte comes first: the other way round than CMS.
 */
#include <gcrypt.h>

#include "gost.h"

static int algorithm;
static gcry_md_hd_t hashing;
static gcry_sexp_t secret, open;

static void must(gcry_error_t err)
{
    if (err) fail(gcry_strerror(err));
}

static const char *version(void)
{
    static char text[64];
    snprintf(text, sizeof text, "libgcrypt %s", gcry_check_version(NULL));
    return text;
}

static void begin(void)
{
    gcry_check_version(NULL);
    gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
    gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
}

static void start_hash(int bits)
{
    begin();
    algorithm = bits == 256 ? GCRY_MD_STRIBOG256 : GCRY_MD_STRIBOG512;
    must(gcry_md_open(&hashing, algorithm, 0));
}

static void hash(const unsigned char *data, size_t size, unsigned char *digest)
{
    gcry_md_reset(hashing);
    gcry_md_write(hashing, data, size);
    memcpy(digest, gcry_md_read(hashing, algorithm), gcry_md_get_algo_dlen(algorithm));
}

static void use_key(const char *curve, const char *key)
{
    unsigned char part[3][64];
    size_t n = 0;
    const char *name = !strcmp(curve, "TC26A256") ? "GOST2012-256-A" : !strcmp(curve, "TC26A512") ? "GOST2012-512-tc26-A" : "GOST2001-CryptoPro-A";
    char q[3 + 4 * 64] = "04";
    begin();
    for (int i = 0; i < 3; i++) {
        n = unhex(key, part[i], sizeof part[i]);
        key = strchr(key, ':') ? strchr(key, ':') + 1 : key + strlen(key);
    }
    for (int i = 0; i < 2; i++)
        for (size_t j = 0; j < n; j++) sprintf(q + 2 + 2 * (i * n + j), "%02x", part[1 + i][j]);
    unsigned char point[129];
    size_t size = unhex(q, point, sizeof point);
    must(gcry_sexp_build(&secret, NULL, "(private-key (ecc (curve %s) (q %b) (d %b)))", name, (int)size, point, (int)n, part[0]));
    must(gcry_sexp_build(&open, NULL, "(public-key (ecc (curve %s) (q %b)))", name, (int)size, point));
}

static gcry_sexp_t number(const unsigned char *digest, size_t size)
{
    unsigned char turned[64];
    gcry_sexp_t data;
    for (size_t i = 0; i < size; i++) turned[i] = digest[size - 1 - i];
    must(gcry_sexp_build(&data, NULL, "(data (flags gost) (value %b))", (int)size, turned));
    return data;
}

/* half copies r or s into n bytes, with zeros before it. */
static void half(gcry_sexp_t from, const char *name, unsigned char *to, size_t n)
{
    gcry_sexp_t list = gcry_sexp_find_token(from, name, 1);
    gcry_mpi_t v = list ? gcry_sexp_nth_mpi(list, 1, GCRYMPI_FMT_USG) : NULL;
    unsigned char bytes[64];
    size_t used = 0;
    if (!v) fail("no number in the signature");
    must(gcry_mpi_print(GCRYMPI_FMT_USG, bytes, sizeof bytes, &used, v));
    memset(to, 0, n - used);
    memcpy(to + n - used, bytes, used);
    gcry_mpi_release(v);
    gcry_sexp_release(list);
}

static size_t sign(const unsigned char *digest, size_t size, unsigned char *signature)
{
    gcry_sexp_t data = number(digest, size), result;
    must(gcry_pk_sign(&result, data, secret));
    half(result, "s", signature, size);
    half(result, "r", signature + size, size);
    gcry_sexp_release(data);
    gcry_sexp_release(result);
    return 2 * size;
}

static int verify(const unsigned char *digest, size_t size, const unsigned char *signature)
{
    gcry_sexp_t data = number(digest, size), given;
    gcry_error_t err;
    must(gcry_sexp_build(&given, NULL, "(sig-val (gost (r %b) (s %b)))", (int)size, signature + size, (int)size, signature));
    err = gcry_pk_verify(given, data, open);
    gcry_sexp_release(data);
    gcry_sexp_release(given);
    return !err;
}
