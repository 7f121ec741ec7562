/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Making objects: key pairs, written certificates, agreed keys. */
#define _GNU_SOURCE
#include "module.h"

#include <stdio.h>
#include <string.h>

static struct ck_attribute *attribute(struct ck_attribute *t, CK_ULONG n, CK_ULONG type)
{
	for (CK_ULONG i = 0; i < n; i++)
		if (t[i].type == type)
			return &t[i];
	return NULL;
}

static CK_ULONG number(struct ck_attribute *a)
{
	CK_ULONG v = NONE;

	if (a && a->len == sizeof v)
		memcpy(&v, a->value, sizeof v);
	return v;
}

static int truth(struct ck_attribute *a) { return a && a->len == 1 && *(byte *)a->value; }

/* describe takes id and label from a template. */
static void describe(struct object *o, struct ck_attribute *t, CK_ULONG n)
{
	struct ck_attribute *id = attribute(t, n, CKA_ID), *label = attribute(t, n, CKA_LABEL);

	if (id && id->len <= MAX_ID && id->len)
		memcpy(o->id, id->value, o->idlen = id->len);
	if (label)
		snprintf(o->label, sizeof o->label, "%.*s", (int)label->len, (char *)label->value);
}

/* keep writes an object of the token into its store, so that other processes see it. */
static CK_RV keep(struct slot *s, struct object *o, const char *ending, const void *der, size_t len)
{
	char path[2 * PATH_SIZE];
	size_t n = 0;

	for (size_t i = 0; i < o->idlen && n + 8 < sizeof o->file; i++)
		n += (size_t)snprintf(o->file + n, sizeof o->file - n, "%02x", o->id[i]);
	snprintf(o->file + n, sizeof o->file - n, "-%lx.%s", o->handle, ending);
	if (!*s->store)
		return CKR_OK; /* lives as long as the library */
	snprintf(path, sizeof path, "%s/%s", s->store, o->file);
	return write_file(path, der, len) ? CKR_FUNCTION_FAILED : CKR_OK;
}

static CK_RV may_write(CK_ULONG handle, struct session **n)
{
	CK_RV rv = session_of(handle, n);

	if (rv == CKR_OK && *(*n)->slot->pin && !(*n)->slot->logged_in)
		return CKR_USER_NOT_LOGGED_IN;
	return rv;
}

/* C_CreateObject takes certificates only. */
CK_RV C_CreateObject(CK_ULONG handle, struct ck_attribute *t, CK_ULONG count, CK_ULONG *made)
{
	struct ck_attribute *value = attribute(t, count, CKA_VALUE);
	struct session *n;
	CK_RV rv;

	lock();
	rv = may_write(handle, &n);
	if (rv == CKR_OK && (number(attribute(t, count, CKA_CLASS)) != CKO_CERTIFICATE || !value || !value->len))
		rv = CKR_TEMPLATE_INCOMPLETE;
	if (rv == CKR_OK && !(n->flags & CKF_RW_SESSION) && truth(attribute(t, count, CKA_TOKEN)))
		rv = CKR_SESSION_READ_ONLY;
	if (rv == CKR_OK) {
		struct object *o = add_object(n->slot, CKO_CERTIFICATE);

		describe(o, t, count);
		o->value = malloc(value->len);
		memcpy(o->value, value->value, o->len = value->len);
		*made = o->handle;
		if (truth(attribute(t, count, CKA_TOKEN)))
			rv = keep(n->slot, o, "crt", o->value, o->len);
		else
			o->session = n;
	}
	unlock();
	return rv;
}

CK_RV C_DestroyObject(CK_ULONG handle, CK_ULONG object)
{
	char path[2 * PATH_SIZE];
	struct session *n;
	CK_RV rv;

	lock();
	rv = may_write(handle, &n);
	if (rv == CKR_OK) {
		struct slot *s = n->slot;

		rv = CKR_OBJECT_HANDLE_INVALID;
		for (size_t i = 0; i < s->nobjects; i++) {
			if (s->objects[i]->handle != object)
				continue;
			snprintf(path, sizeof path, "%s/%s", s->store, s->objects[i]->file);
			if (*s->store && *s->objects[i]->file)
				remove(path);
			remove_object(s, i);
			rv = CKR_OK;
			break;
		}
	}
	unlock();
	return rv;
}

/* generate makes the key a mechanism and a public template describe. */
static CK_RV generate(CK_ULONG mechanism, struct ck_attribute *t, CK_ULONG n, struct key **k)
{
	struct ck_attribute *params = attribute(t, n, CKA_GOSTR3410_PARAMS);
	CK_ULONG bits = number(attribute(t, n, CKA_MODULUS_BITS));
	enum kind kind = KIND_GOST256;

	switch (mechanism) {
	case CKM_RSA_PKCS_KEY_PAIR_GEN:
		if (bits < 1024 || bits > 8192)
			return CKR_TEMPLATE_INCOMPLETE;
		*k = key_make(KIND_RSA, NULL, bits);
		return *k ? CKR_OK : CKR_FUNCTION_FAILED;
	case CKM_EC_KEY_PAIR_GEN:
		kind = KIND_EC;
		params = attribute(t, n, CKA_EC_PARAMS);
		break;
	case CKM_GOSTR3410_512_KEY_PAIR_GEN:
		kind = KIND_GOST512;
		break;
	case CKM_GOSTR3410_KEY_PAIR_GEN:
		break;
	default:
		return CKR_MECHANISM_INVALID;
	}
	if (!params || !params->len)
		return CKR_TEMPLATE_INCOMPLETE;
	*k = key_make(kind, params->value, params->len);
	return *k ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID;
}

/* add_made puts a made pair on the token; the public half is the last object. */
static CK_RV add_made(struct session *n, struct key *k, struct ck_attribute *t, CK_ULONG count, CK_ULONG *public, CK_ULONG *private)
{
	struct slot *s = n->slot;
	struct object like = {.hidden = 1, .always = truth(attribute(t, count, CKA_ALWAYS_AUTHENTICATE))};
	struct object *o;
	size_t len = 0;
	byte *der;
	CK_RV rv = CKR_OK;

	describe(&like, t, count);
	if (add_pair(s, k, &like, 1))
		return CKR_FUNCTION_FAILED;
	o = s->objects[s->nobjects - 2];
	*private = o->handle;
	*public = s->objects[s->nobjects - 1]->handle;
	if (!truth(attribute(t, count, CKA_TOKEN))) {
		o->session = s->objects[s->nobjects - 1]->session = n;
		return CKR_OK;
	}
	der = key_write(k, &len);
	if (!der)
		return CKR_FUNCTION_FAILED;
	rv = keep(s, o, "key", der, len);
	memcpy(s->objects[s->nobjects - 1]->file, o->file, sizeof o->file);
	wipe(der, len);
	free(der);
	return rv;
}

CK_RV C_GenerateKeyPair(CK_ULONG handle, struct ck_mechanism *m, struct ck_attribute *pub, CK_ULONG npub, struct ck_attribute *priv,
	CK_ULONG npriv, CK_ULONG *public, CK_ULONG *private)
{
	CK_ULONG mechanism = m->type >= OLD_GOST && m->type < OLD_GOST_END ? m->type + OLD_GOST_SHIFT : m->type;
	struct key *k = NULL;
	struct session *n;
	CK_RV rv;

	lock();
	rv = may_write(handle, &n);
	if (rv == CKR_OK && !has_mechanism(n->slot, m->type))
		rv = CKR_MECHANISM_INVALID;
	if (rv == CKR_OK && !(n->flags & CKF_RW_SESSION) && truth(attribute(priv, npriv, CKA_TOKEN)))
		rv = CKR_SESSION_READ_ONLY;
	if (rv == CKR_OK)
		rv = generate(mechanism, pub, npub, &k);
	if (rv == CKR_OK)
		rv = add_made(n, k, priv, npriv, public, private);
	unlock();
	return rv;
}

/* part cuts uint32 length and that many bytes off a packed little-endian string. */
static int part(const byte **p, size_t *n, const byte **value, size_t *len)
{
	if (*n < 4)
		return -1;
	*len = (size_t)(*p)[0] | (size_t)(*p)[1] << 8 | (size_t)(*p)[2] << 16 | (size_t)(*p)[3] << 24;
	if (*len > *n - 4)
		return -1;
	*value = *p + 4;
	*p += 4 + *len;
	*n -= 4 + *len;
	return 0;
}

/* agree is CKM_GOSTR3410_12_DERIVE: uint32 kdf, public key, UKM, packed. The result is the key of VKO with Streebog-256. */
static CK_RV agree(struct object *o, struct ck_mechanism *m, byte *out, size_t *outlen)
{
	const byte *p = m->parameter, *point, *peer, *ukm;
	size_t n = m->len, len, ukmlen, own;
	byte *spki;
	int bad;

	if (!p || n < 12)
		return CKR_MECHANISM_PARAM_INVALID;
	p += 4, n -= 4; /* the kdf: the caller's business */
	own = der_point(o->value, o->len, &point);
	if (part(&p, &n, &peer, &len) || part(&p, &n, &ukm, &ukmlen) || n || len != own || !(spki = malloc(o->len)))
		return CKR_MECHANISM_PARAM_INVALID;
	memcpy(spki, o->value, o->len);
	memcpy(spki + (point - o->value), peer, len); /* the same parameters, the peer's point */
	bad = key_agree(o->key, spki, o->len, ukm, ukmlen, out, outlen);
	free(spki);
	return bad ? CKR_MECHANISM_PARAM_INVALID : CKR_OK;
}

CK_RV C_DeriveKey(CK_ULONG handle, struct ck_mechanism *m, CK_ULONG base, struct ck_attribute *t, CK_ULONG count, CK_ULONG *made)
{
	size_t len = number(attribute(t, count, CKA_VALUE_LEN)) == 64 ? 64 : 32;
	byte kek[64];
	struct session *n;
	struct object *o = NULL;
	CK_RV rv;

	lock();
	rv = may_write(handle, &n);
	if (rv == CKR_OK && (!has_mechanism(n->slot, m->type) || m->type != CKM_GOSTR3410_12_DERIVE))
		rv = CKR_MECHANISM_INVALID;
	if (rv == CKR_OK && (!(o = find_object(n->slot, base)) || o->class != CKO_PRIVATE_KEY))
		rv = CKR_KEY_HANDLE_INVALID;
	if (rv == CKR_OK && o->kind != KIND_GOST256 && o->kind != KIND_GOST512)
		rv = CKR_KEY_TYPE_INCONSISTENT;
	if (rv == CKR_OK)
		rv = agree(o, m, kek, &len);
	if (rv == CKR_OK) {
		o = add_object(n->slot, CKO_SECRET_KEY);
		describe(o, t, count);
		o->session = n;
		o->value = malloc(len);
		memcpy(o->value, kek, o->len = len);
		*made = o->handle;
	}
	wipe(kek, sizeof kek);
	unlock();
	return rv;
}
