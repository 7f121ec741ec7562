/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Botan 2, see gost.h. It knows 256-bit curves by name only: CryptoPro-A.
 */
#include <botan/auto_rng.h>
#include <botan/gost_3410.h>
#include <botan/hash.h>
#include <botan/pubkey.h>
#include <botan/version.h>

#include <string>

#include "gost.h"

/* Never freed: at exit Botan's allocator is gone before these would be. */
static Botan::HashFunction *hashing;
static Botan::PK_Signer *signer;
static Botan::PK_Verifier *verifier;

static Botan::AutoSeeded_RNG &rng()
{
    static Botan::AutoSeeded_RNG *r = new Botan::AutoSeeded_RNG;
    return *r;
}

static const char *version(void)
{
    static const std::string text = "Botan " + Botan::short_version_string();
    return text.c_str();
}

static void start_hash(int bits)
{
    hashing = Botan::HashFunction::create_or_throw(bits == 256 ? "Streebog-256" : "Streebog-512").release();
}

static void hash(const unsigned char *data, size_t size, unsigned char *digest)
{
    hashing->update(data, size);
    hashing->final(digest);
}

static void use_key(const char *curve, const char *key)
{
    const std::string text = key, d = "0x" + text.substr(0, text.find(':'));
    if (std::string(curve) != "CryptoProA") fail("Botan has no name for this curve");
    const auto *secret = new Botan::GOST_3410_PrivateKey(rng(), Botan::EC_Group("gost_256A"), Botan::BigInt(d));
    signer = new Botan::PK_Signer(*secret, rng(), "Raw");
    verifier = new Botan::PK_Verifier(*secret, "Raw");
}

static size_t sign(const unsigned char *digest, size_t size, unsigned char *signature)
{
    const std::vector<uint8_t> s = signer->sign_message(digest, size, rng());
    memcpy(signature, s.data(), s.size());
    return s.size();
}

static int verify(const unsigned char *digest, size_t size, const unsigned char *signature)
{
    return verifier->verify_message(digest, size, signature, 2 * size);
}
