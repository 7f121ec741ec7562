/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads a SubjectPublicKeyInfo, which the crypto library made, and keys of tests: nothing here is hardened against hostile input. */
#include "module.h"

#include <string.h>

struct der {
	const byte *p;
	size_t n;
};

/* take cuts one element off d: its tag, its contents, and the whole of it with the header. */
static int take(struct der *d, byte *tag, struct der *in, struct der *whole)
{
	size_t head = 2, len;

	if (d->n < 2)
		return -1;
	*tag = d->p[0];
	len = d->p[1];
	if (len & 0x80) {
		size_t bytes = len & 0x7f;

		if (bytes > 3 || d->n < 2 + bytes)
			return -1;
		for (len = 0; head < 2 + bytes; head++)
			len = len << 8 | d->p[head];
	}
	if (d->n < head + len)
		return -1;
	if (whole)
		*whole = (struct der){d->p, head + len};
	*in = (struct der){d->p + head, len};
	d->p += head + len;
	d->n -= head + len;
	return 0;
}

/* open_spki gives the contents of the AlgorithmIdentifier and of the BIT STRING, without its first byte. */
static int open_spki(const byte *spki, size_t n, struct der *algorithm, struct der *bits)
{
	struct der d = {spki, n}, in;
	byte tag;

	if (take(&d, &tag, &in, NULL) || take(&in, &tag, algorithm, NULL) || take(&in, &tag, bits, NULL) || bits->n < 1)
		return -1;
	bits->p++;
	bits->n--;
	return 0;
}

/* der_oid gives the DER of the algorithm's OID (parameter 0), or of an OID of its parameters (1: set or curve, 2: digest). */
size_t der_oid(const byte *spki, size_t n, int parameter, const byte **oid)
{
	struct der a, bits, in, whole;
	byte tag;

	if (open_spki(spki, n, &a, &bits) || take(&a, &tag, &in, &whole))
		return 0;
	if (parameter > 0) {
		if (take(&a, &tag, &in, &whole))
			return 0;
		if (tag == 0x30) {
			struct der set = in;

			for (int i = 0; i < parameter; i++)
				if (take(&set, &tag, &in, &whole))
					return 0;
		} else if (parameter > 1) {
			return 0;
		}
	}
	*oid = whole.p;
	return whole.p[0] == 0x06 ? whole.n : 0;
}

/* der_point gives the public point: of EC as it is, of GOST without the OCTET STRING. */
size_t der_point(const byte *spki, size_t n, const byte **point)
{
	struct der a, bits, in;
	enum kind kind;
	byte tag;

	if (open_spki(spki, n, &a, &bits) || der_kind(spki, n, &kind))
		return 0;
	if (kind == KIND_EC) {
		*point = bits.p;
		return bits.n;
	}
	if (take(&bits, &tag, &in, NULL))
		return 0;
	*point = in.p;
	return in.n;
}

int der_rsa(const byte *spki, size_t n, const byte **modulus, size_t *mlen, const byte **exponent, size_t *elen)
{
	struct der a, bits, in, m, e;
	byte tag;

	if (open_spki(spki, n, &a, &bits) || take(&bits, &tag, &in, NULL) || take(&in, &tag, &m, NULL) || take(&in, &tag, &e, NULL))
		return -1;
	while (m.n > 1 && *m.p == 0)
		m.p++, m.n--;
	*modulus = m.p, *mlen = m.n, *exponent = e.p, *elen = e.n;
	return 0;
}

/*
 * der_rsa_private gives the eight numbers of an RSA PrivateKeyInfo, n e d p q dp dq qinv, without leading zeros, and its
 * AlgorithmIdentifier with its header.
 */
int der_rsa_private(const byte *pkcs8, size_t n, struct number out[8], struct number *algorithm)
{
	struct der d = {pkcs8, n}, in, whole, ignored;
	byte tag;

	if (take(&d, &tag, &in, NULL) || take(&in, &tag, &ignored, NULL) || take(&in, &tag, &ignored, &whole) || tag != 0x30)
		return -1;
	*algorithm = (struct number){whole.p, whole.n};
	if (take(&in, &tag, &d, NULL) || tag != 0x04 || take(&d, &tag, &in, NULL) || take(&in, &tag, &ignored, NULL))
		return -1;
	for (int i = 0; i < 8; i++) {
		if (take(&in, &tag, &d, NULL) || tag != 0x02)
			return -1;
		while (d.n > 1 && *d.p == 0)
			d.p++, d.n--;
		out[i] = (struct number){d.p, d.n};
	}
	return 0;
}

int der_kind(const byte *spki, size_t n, enum kind *kind)
{
	static const struct {
		const char *oid;
		size_t n;
		enum kind kind;
	} kinds[] = {
		{"\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x01\x01", 11, KIND_RSA},
		{"\x06\x07\x2A\x86\x48\xCE\x3D\x02\x01", 9, KIND_EC},
		{"\x06\x08\x2A\x85\x03\x07\x01\x01\x01\x01", 10, KIND_GOST256},
		{"\x06\x08\x2A\x85\x03\x07\x01\x01\x01\x02", 10, KIND_GOST512},
	};
	const byte *oid;
	size_t len = der_oid(spki, n, 0, &oid);

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (kinds[i].n == len && !memcmp(kinds[i].oid, oid, len)) {
			*kind = kinds[i].kind;
			return 0;
		}
	return -1;
}
