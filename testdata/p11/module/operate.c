/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finding and reading objects, signing, hashing. */
#define _GNU_SOURCE
#include "module.h"

#include <stdio.h>
#include <string.h>

/* matches compares an object with a template. */
static int matches(struct slot *s, struct object *o, struct ck_attribute *t, CK_ULONG n)
{
	byte value[8192];

	for (CK_ULONG i = 0; i < n; i++) {
		CK_ULONG len = sizeof value;

		if (object_attribute(s, o, t[i].type, value, &len) != CKR_OK || len != t[i].len || memcmp(value, t[i].value, len))
			return 0;
	}
	return 1;
}

CK_RV C_FindObjectsInit(CK_ULONG handle, struct ck_attribute *t, CK_ULONG count)
{
	struct session *n;
	CK_RV rv;

	lock();
	rv = session_of(handle, &n);
	if (rv == CKR_OK && n->finding)
		rv = CKR_OPERATION_ACTIVE;
	if (rv == CKR_OK) {
		struct slot *s = n->slot;

		refresh_store(s);
		free(n->found);
		n->found = malloc((s->nobjects + 1) * sizeof *n->found);
		n->nfound = n->next = 0;
		n->finding = 1;
		for (size_t i = 0; i < s->nobjects; i++)
			if (visible(n, s->objects[i]) && matches(s, s->objects[i], t, count))
				n->found[n->nfound++] = s->objects[i]->handle;
	}
	unlock();
	return rv;
}

CK_RV C_FindObjects(CK_ULONG handle, CK_ULONG *out, CK_ULONG max, CK_ULONG *count)
{
	struct session *n;
	CK_RV rv;

	lock();
	rv = session_of(handle, &n);
	if (rv == CKR_OK && !n->finding)
		rv = CKR_OPERATION_NOT_INITIALIZED;
	if (rv == CKR_OK)
		for (*count = 0; *count < max && n->next < n->nfound;)
			out[(*count)++] = n->found[n->next++];
	unlock();
	return rv;
}

CK_RV C_FindObjectsFinal(CK_ULONG handle)
{
	struct session *n;
	CK_RV rv;

	lock();
	rv = session_of(handle, &n);
	if (rv == CKR_OK && !n->finding)
		rv = CKR_OPERATION_NOT_INITIALIZED;
	if (rv == CKR_OK)
		n->finding = 0;
	unlock();
	return rv;
}

static CK_RV object_of(CK_ULONG session, CK_ULONG handle, struct session **n, struct object **o)
{
	CK_RV rv = session_of(session, n);

	if (rv != CKR_OK)
		return rv;
	*o = find_object((*n)->slot, handle);
	return *o && visible(*n, *o) ? CKR_OK : CKR_OBJECT_HANDLE_INVALID;
}

CK_RV C_GetAttributeValue(CK_ULONG session, CK_ULONG handle, struct ck_attribute *t, CK_ULONG count)
{
	struct session *n;
	struct object *o;
	CK_RV rv;

	lock();
	rv = object_of(session, handle, &n, &o);
	for (CK_ULONG i = 0; (rv == CKR_OK || i > 0) && i < count; i++) {
		CK_RV one = object_attribute(n->slot, o, t[i].type, t[i].value, &t[i].len);

		if (one != CKR_OK)
			rv = one;
	}
	unlock();
	return rv;
}

/* modern gives the number of today for a mechanism of the older headers. */
static CK_ULONG modern(CK_ULONG m)
{
	return m >= OLD_GOST && m < OLD_GOST_END ? m + OLD_GOST_SHIFT : m;
}

/* fits tells whether a key can be used with a signature mechanism. */
static int fits(enum kind kind, CK_ULONG m)
{
	switch (modern(m)) {
	case CKM_RSA_PKCS:
		return kind == KIND_RSA;
	case CKM_ECDSA:
		return kind == KIND_EC;
	case CKM_GOSTR3410:
	case CKM_GOSTR3410_WITH_GOSTR3411:
	case CKM_GOSTR3410_WITH_GOSTR3411_12_256:
		return kind == KIND_GOST256;
	case CKM_GOSTR3410_512:
	case CKM_GOSTR3410_WITH_GOSTR3411_12_512:
		return kind == KIND_GOST512;
	}
	return 0;
}

CK_RV C_SignInit(CK_ULONG session, struct ck_mechanism *m, CK_ULONG handle)
{
	struct session *n;
	struct object *o;
	CK_RV rv;

	lock();
	rv = object_of(session, handle, &n, &o);
	if (rv == CKR_OBJECT_HANDLE_INVALID || (rv == CKR_OK && o->class != CKO_PRIVATE_KEY))
		rv = CKR_KEY_HANDLE_INVALID;
	if (rv == CKR_OK && *n->slot->pin && !n->slot->logged_in)
		rv = CKR_USER_NOT_LOGGED_IN;
	if (rv == CKR_OK && n->mechanism != NONE)
		rv = CKR_OPERATION_ACTIVE;
	if (rv == CKR_OK && !has_mechanism(n->slot, m->type))
		rv = CKR_MECHANISM_INVALID;
	if (rv == CKR_OK && !fits(o->kind, m->type))
		rv = CKR_KEY_TYPE_INCONSISTENT;
	if (rv == CKR_OK) {
		n->mechanism = m->type;
		n->key = o;
		n->authenticated = n->digesting = 0;
	}
	unlock();
	return rv;
}

static void reverse(byte *p, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		byte t = p[i];

		p[i] = p[n - 1 - i];
		p[n - 1 - i] = t;
	}
}

/* swap_halves makes r || s of s || r. */
static void swap_halves(byte *p, size_t n)
{
	byte first[MAX_SIGNATURE / 2];

	memcpy(first, p, n / 2);
	memmove(p, p + n / 2, n / 2);
	memcpy(p + n / 2, first, n / 2);
}

/* lay_out puts a GOST signature into the order the slot was told to use. */
static void lay_out(enum layout l, byte *sig, size_t n)
{
	if (l == HALVES || l == BOTH)
		swap_halves(sig, n);
	if (l == REVERSED || l == BOTH)
		reverse(sig, n);
}

static CK_RV gost_sign(struct session *n, const byte *in, size_t len, byte *out, size_t *outlen)
{
	byte hash[MAX_DIGEST];
	size_t size = n->key->kind == KIND_GOST512 ? 64 : 32, hashlen = 0;
	const char *name = NULL;

	switch (modern(n->mechanism)) {
	case CKM_GOSTR3410_WITH_GOSTR3411:
		name = "gost94";
		break;
	case CKM_GOSTR3410_WITH_GOSTR3411_12_256:
		name = "streebog256";
		break;
	case CKM_GOSTR3410_WITH_GOSTR3411_12_512:
		name = "streebog512";
		break;
	}
	if (!name && len != size)
		return CKR_DATA_LEN_RANGE;
	if (!name)
		memcpy(hash, in, hashlen = len);
	else if (digest(name, in, len, hash, &hashlen) || hashlen != size)
		return CKR_FUNCTION_FAILED;
	if (n->slot->layout == HASH)
		reverse(hash, hashlen);
	if (key_sign(n->key->key, n->key->kind, hash, hashlen, out, outlen))
		return CKR_FUNCTION_FAILED;
	lay_out(n->slot->layout, out, *outlen);
	return CKR_OK;
}

static size_t signature_size(struct object *o)
{
	const byte *p, *e;
	size_t n = 0, elen;

	switch (o->kind) {
	case KIND_RSA:
		der_rsa(o->value, o->len, &p, &n, &e, &elen);
		return n;
	case KIND_EC:
		return der_point(o->value, o->len, &p) - 1;
	default:
		return der_point(o->value, o->len, &p);
	}
}

static CK_RV sign(struct session *n, const byte *in, CK_ULONG len, byte *out, CK_ULONG *outlen)
{
	byte sig[MAX_SIGNATURE];
	size_t size = signature_size(n->key);
	CK_RV rv = CKR_OK;

	if (n->key->always && !n->authenticated)
		rv = CKR_USER_NOT_LOGGED_IN;
	else if (!out || *outlen < size) {
		rv = out ? CKR_BUFFER_TOO_SMALL : CKR_OK;
		*outlen = (CK_ULONG)size;
		return rv; /* the operation stays active */
	} else if (n->key->kind == KIND_GOST256 || n->key->kind == KIND_GOST512)
		rv = gost_sign(n, in, len, sig, &size);
	else if (key_sign(n->key->key, n->key->kind, in, len, sig, &size))
		rv = CKR_DATA_LEN_RANGE;
	if (rv == CKR_OK) {
		memcpy(out, sig, size);
		*outlen = (CK_ULONG)size;
	}
	n->mechanism = NONE;
	n->key = NULL;
	n->authenticated = 0;
	return rv;
}

CK_RV C_Sign(CK_ULONG session, byte *in, CK_ULONG len, byte *out, CK_ULONG *outlen)
{
	struct session *n;
	CK_RV rv;

	lock();
	rv = session_of(session, &n);
	if (rv == CKR_OK && (n->mechanism == NONE || n->digesting || !n->key))
		rv = CKR_OPERATION_NOT_INITIALIZED;
	if (rv == CKR_OK)
		rv = sign(n, in, len, out, outlen);
	if (out)
		note("C_Sign", rv);
	unlock();
	return rv;
}

static const char *digest_name(CK_ULONG m)
{
	switch (modern(m)) {
	case CKM_SHA256:
		return "sha256";
	case CKM_GOSTR3411:
		return "gost94";
	case CKM_GOSTR3411_12_256:
		return "streebog256";
	case CKM_GOSTR3411_12_512:
		return "streebog512";
	}
	return NULL;
}

CK_RV C_DigestInit(CK_ULONG session, struct ck_mechanism *m)
{
	struct session *n;
	CK_RV rv;

	lock();
	rv = session_of(session, &n);
	if (rv == CKR_OK && n->mechanism != NONE)
		rv = CKR_OPERATION_ACTIVE;
	if (rv == CKR_OK && (!has_mechanism(n->slot, m->type) || !digest_name(m->type)))
		rv = CKR_MECHANISM_INVALID;
	if (rv == CKR_OK) {
		n->mechanism = m->type;
		n->digesting = 1;
	}
	unlock();
	return rv;
}

CK_RV C_Digest(CK_ULONG session, byte *in, CK_ULONG len, byte *out, CK_ULONG *outlen)
{
	byte hash[MAX_DIGEST];
	size_t size = 0;
	struct session *n;
	CK_RV rv;

	lock();
	rv = session_of(session, &n);
	if (rv == CKR_OK && !n->digesting)
		rv = CKR_OPERATION_NOT_INITIALIZED;
	if (rv == CKR_OK && digest(digest_name(n->mechanism), in, len, hash, &size))
		rv = CKR_FUNCTION_FAILED;
	if (rv == CKR_OK && out && *outlen < size)
		rv = CKR_BUFFER_TOO_SMALL;
	if (rv == CKR_OK && out)
		memcpy(out, hash, size);
	if (n && rv != CKR_BUFFER_TOO_SMALL && (out || rv != CKR_OK)) {
		n->mechanism = NONE;
		n->digesting = 0;
	}
	*outlen = (CK_ULONG)size;
	unlock();
	return rv;
}
