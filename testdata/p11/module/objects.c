/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Objects of a token, and what their attributes say. */
#define _GNU_SOURCE
#include "module.h"

#include <stdio.h>
#include <string.h>

struct object *add_object(struct slot *s, CK_ULONG class)
{
	struct object *o = calloc(1, sizeof *o);

	if (s->nobjects == s->room) {
		s->room = s->room ? 2 * s->room : 64;
		s->objects = realloc(s->objects, s->room * sizeof *s->objects);
	}
	if (!o || !s->objects)
		abort();
	o->class = class;
	o->handle = ++state.serial;
	s->objects[s->nobjects++] = o;
	return o;
}

struct object *find_object(struct slot *s, CK_ULONG handle)
{
	for (size_t i = 0; i < s->nobjects; i++)
		if (s->objects[i]->handle == handle)
			return s->objects[i];
	return NULL;
}

static struct object *copy_of(struct slot *s, const struct object *like, CK_ULONG class)
{
	struct object *o = add_object(s, class);
	CK_ULONG handle = o->handle;

	*o = *like;
	o->class = class;
	o->handle = handle;
	o->value = o->params = NULL;
	if (like->params && (o->params = malloc(like->paramslen)))
		memcpy(o->params, like->params, like->paramslen);
	return o;
}

/* add_pair puts a private key on the token and, when asked to, its public one. */
int add_pair(struct slot *s, struct key *k, const struct object *like, int public)
{
	struct object *o = copy_of(s, like, CKO_PRIVATE_KEY);

	o->key = k;
	o->value = key_spki(k, &o->len);
	if (!o->value || der_kind(o->value, o->len, &o->kind))
		return -1;
	if (public) {
		struct object *p = copy_of(s, like, CKO_PUBLIC_KEY);

		p->hidden = p->always = 0;
		p->kind = o->kind;
		p->value = malloc(o->len);
		memcpy(p->value, o->value, o->len);
		p->len = o->len;
	}
	return 0;
}

static void number_id(struct object *o, long i)
{
	o->idlen = 4;
	for (int b = 0; b < 4; b++)
		o->id[b] = (CK_BYTE)((unsigned long)i >> (24 - 8 * b));
}

void add_bulk(struct slot *s, const char *what, long n, const char *file)
{
	static const byte rsa[] = {0x30, 0x22, 0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00,
		0x03, 0x11, 0x00, 0x30, 0x0E, 0x02, 0x07, 0x40, 0, 0, 0, 0, 0, 1, 0x02, 0x03, 0x01, 0x00, 0x01};
	size_t len = 0;
	byte *der = file ? read_file(file, &len) : NULL;

	for (long i = 0; i < n; i++) {
		struct object *o;

		if (!strcmp(what, "certs") && !der)
			break;
		o = add_object(s, !strcmp(what, "certs") ? CKO_CERTIFICATE : !strcmp(what, "public") ? CKO_PUBLIC_KEY : CKO_DATA);
		number_id(o, i);
		o->len = o->class == CKO_CERTIFICATE ? len : sizeof rsa;
		o->value = malloc(o->len);
		memcpy(o->value, o->class == CKO_CERTIFICATE ? der : rsa, o->len);
		/* The last bytes are of the signature, or of the modulus: each copy is another object. */
		memcpy(o->value + (o->class == CKO_CERTIFICATE ? o->len - 4 : 27), o->id, 4);
		snprintf(o->label, sizeof o->label, "%s %ld", what, i);
	}
	free(der);
}

/* from_store adds one file of the store: HEX.key or HEX.crt, HEX being the id and anything after a dash. */
static void from_store(struct slot *s, const char *name)
{
	const char *dot = strrchr(name, '.');
	char file[2 * PATH_SIZE];
	struct object like = {0};
	size_t len;
	byte *der;

	if (!dot || strlen(name) >= sizeof like.file || (strcmp(dot, ".key") && strcmp(dot, ".crt")))
		return;
	for (size_t i = 0; i < s->nobjects; i++)
		if (!strcmp(s->objects[i]->file, name))
			return;
	snprintf(file, sizeof file, "%s/%s", s->store, name);
	if (!(der = read_file(file, &len)))
		return;
	like.idlen = unhex(name, like.id, MAX_ID);
	snprintf(like.file, sizeof like.file, "%s", name);
	if (!strcmp(dot, ".key")) {
		struct key *k = key_read(der, len);

		like.hidden = 1;
		if (k)
			add_pair(s, k, &like, 1);
		free(der);
		return;
	}
	struct object *o = copy_of(s, &like, CKO_CERTIFICATE);
	o->value = der, o->len = len;
}

void refresh_store(struct slot *s)
{
	char file[2 * PATH_SIZE];

	if (!*s->store)
		return;
	for (size_t i = s->nobjects; i-- > 0;) {
		snprintf(file, sizeof file, "%s/%s", s->store, s->objects[i]->file);
		if (*s->objects[i]->file && !exists(file))
			remove_object(s, i);
	}
	each_file(s->store, from_store, s);
}

void remove_object(struct slot *s, size_t i)
{
	struct object *o = s->objects[i];

	if (o->class == CKO_SECRET_KEY && o->value)
		wipe(o->value, o->len);
	free(o->value);
	free(o->params);
	free(o); /* the key itself stays: a session may be using it */
	memmove(s->objects + i, s->objects + i + 1, (--s->nobjects - i) * sizeof *s->objects);
}

void free_objects(struct slot *s)
{
	while (s->nobjects)
		remove_object(s, s->nobjects - 1);
	free(s->objects);
	s->objects = NULL;
	s->room = 0;
}

int visible(struct session *n, struct object *o)
{
	return (!o->hidden || n->slot->logged_in || !*n->slot->pin) && (!o->session || o->session == n);
}

static CK_RV give(const void *value, size_t n, byte *out, CK_ULONG *len)
{
	if (out && *len < n) {
		*len = NONE;
		return CKR_BUFFER_TOO_SMALL;
	}
	if (out && n)
		memcpy(out, value, n);
	*len = (CK_ULONG)n;
	return CKR_OK;
}

static CK_RV give_ulong(CK_ULONG v, byte *out, CK_ULONG *len) { return give(&v, sizeof v, out, len); }

static CK_RV give_bool(int v, byte *out, CK_ULONG *len)
{
	byte b = v != 0;

	return give(&b, 1, out, len);
}

static CK_RV none(CK_RV rv, CK_ULONG *len)
{
	*len = NONE;
	return rv;
}

/* gost_point gives CKA_VALUE of a GOST public key in the form the slot was told to use. */
static CK_RV gost_point(struct slot *s, struct object *o, byte *out, CK_ULONG *len)
{
	byte form[2 + 128 + 2];
	const byte *point;
	size_t n = der_point(o->value, o->len, &point), head = 0;

	if (n == 0 || n > 128)
		return none(CKR_ATTRIBUTE_TYPE_INVALID, len);
	if (s->form == OCTETS) {
		form[head++] = 0x04;
		if (n > 127)
			form[head++] = 0x81;
		form[head++] = (byte)n;
	}
	for (size_t i = 0, half = n / 2; i < n; i++) /* big-endian: each coordinate by itself */
		form[head + i] = s->form == BIG ? point[i / half * half + half - 1 - i % half] : point[i];
	return give(form, head + n, out, len);
}

static CK_RV ec_point(struct object *o, byte *out, CK_ULONG *len)
{
	byte form[256];
	const byte *point;
	size_t n = der_point(o->value, o->len, &point), head = 0;

	form[head++] = 0x04;
	if (n > 127)
		form[head++] = 0x81;
	form[head++] = (byte)n;
	memcpy(form + head, point, n);
	return give(form, head + n, out, len);
}

static CK_RV gost_params(struct object *o, CK_ULONG type, byte *out, CK_ULONG *len)
{
	static const byte streebog[] = {0x06, 0x08, 0x2A, 0x85, 0x03, 0x07, 0x01, 0x01, 0x02, 0x02};
	byte hash[sizeof streebog];
	const byte *oid;
	size_t n;

	if (type == CKA_GOSTR3411_PARAMS) {
		memcpy(hash, streebog, sizeof hash);
		hash[sizeof hash - 1] = o->kind == KIND_GOST512 ? 3 : 2;
		return give(hash, sizeof hash, out, len);
	}
	if (o->params)
		return give(o->params, o->paramslen, out, len);
	n = der_oid(o->value, o->len, 1, &oid);
	return n ? give(oid, n, out, len) : none(CKR_ATTRIBUTE_TYPE_INVALID, len);
}

static CK_RV rsa_attribute(struct object *o, CK_ULONG type, byte *out, CK_ULONG *len)
{
	const byte *m, *e;
	size_t mlen, elen;

	if (der_rsa(o->value, o->len, &m, &mlen, &e, &elen))
		return none(CKR_ATTRIBUTE_TYPE_INVALID, len);
	switch (type) {
	case CKA_MODULUS:
		return give(m, mlen, out, len);
	case CKA_PUBLIC_EXPONENT:
		return give(e, elen, out, len);
	default:
		return give_ulong(8 * (CK_ULONG)mlen, out, len);
	}
}

static CK_RV key_attribute(struct slot *s, struct object *o, CK_ULONG type, byte *out, CK_ULONG *len)
{
	static const CK_ULONG types[] = {CKK_RSA, CKK_EC, CKK_GOSTR3410, CKK_GOSTR3410_512};
	int private = o->class == CKO_PRIVATE_KEY, gost = o->kind == KIND_GOST256 || o->kind == KIND_GOST512;
	const byte *oid;
	size_t n;

	switch (type) {
	case CKA_KEY_TYPE:
		return give_ulong(types[o->kind], out, len);
	case CKA_SIGN:
	case CKA_SENSITIVE:
		return give_bool(private, out, len);
	case CKA_VERIFY:
		return give_bool(!private, out, len);
	case CKA_EXTRACTABLE:
	case CKA_DERIVE:
	case 0x104: /* encrypt, decrypt, wrap, unwrap, recover */
	case 0x105:
	case 0x106:
	case 0x107:
	case 0x109:
	case 0x10B:
	case 0x163: /* local, never extractable, always sensitive */
	case 0x164:
	case 0x165:
		return give_bool(0, out, len);
	case CKA_ALWAYS_AUTHENTICATE:
		return private ? give_bool(o->always, out, len) : none(CKR_ATTRIBUTE_TYPE_INVALID, len);
	case CKA_GOSTR3410_PARAMS:
	case CKA_GOSTR3411_PARAMS:
		return gost ? gost_params(o, type, out, len) : none(CKR_ATTRIBUTE_TYPE_INVALID, len);
	case CKA_MODULUS:
	case CKA_MODULUS_BITS:
	case CKA_PUBLIC_EXPONENT:
		return o->kind == KIND_RSA ? rsa_attribute(o, type, out, len) : none(CKR_ATTRIBUTE_TYPE_INVALID, len);
	case CKA_EC_PARAMS:
		n = o->kind == KIND_EC ? der_oid(o->value, o->len, 1, &oid) : 0;
		return n ? give(oid, n, out, len) : none(CKR_ATTRIBUTE_TYPE_INVALID, len);
	case CKA_EC_POINT:
		return o->kind == KIND_EC && !private ? ec_point(o, out, len) : none(CKR_ATTRIBUTE_TYPE_INVALID, len);
	case CKA_VALUE:
		if (private)
			return none(CKR_ATTRIBUTE_SENSITIVE, len);
		return gost ? gost_point(s, o, out, len) : none(CKR_ATTRIBUTE_TYPE_INVALID, len);
	}
	return none(CKR_ATTRIBUTE_TYPE_INVALID, len);
}

CK_RV object_attribute(struct slot *s, struct object *o, CK_ULONG type, byte *out, CK_ULONG *len)
{
	switch (type) {
	case CKA_CLASS:
		return give_ulong(o->class, out, len);
	case CKA_TOKEN:
		return give_bool(!o->session, out, len);
	case CKA_PRIVATE:
		return give_bool(o->hidden, out, len);
	case CKA_LABEL:
		return give(o->label, strlen(o->label), out, len);
	case CKA_ID:
		return o->class == CKO_DATA ? none(CKR_ATTRIBUTE_TYPE_INVALID, len) : give(o->id, o->idlen, out, len);
	}
	if (o->class == CKO_PRIVATE_KEY || o->class == CKO_PUBLIC_KEY)
		return key_attribute(s, o, type, out, len);
	if (type == CKA_VALUE)
		return give(o->value, o->len, out, len);
	if (type == CKA_CERTIFICATE_TYPE && o->class == CKO_CERTIFICATE)
		return give_ulong(0, out, len);
	if (o->class == CKO_SECRET_KEY && type == CKA_KEY_TYPE)
		return give_ulong(CKK_GENERIC_SECRET, out, len);
	if (o->class == CKO_SECRET_KEY && type == CKA_VALUE_LEN)
		return give_ulong((CK_ULONG)o->len, out, len);
	return none(CKR_ATTRIBUTE_TYPE_INVALID, len);
}
