/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A PKCS#11 module for tests whose tokens are described by a text file; see scenario.c for its words. Never shipped.
 *
 *     cc -shared -fPIC -fvisibility=hidden -o p11test.so *.c -lcrypto -lpthread
 *     x86_64-w64-mingw32-gcc -shared -o p11test.dll *.c -lbcrypt -lncrypt -lcrypt32
 *
 * PERSTEN_P11_CONFIG names the file; it is read by C_Initialize. Every function holds one lock, except while it waits.
 */
#ifndef MODULE_H
#define MODULE_H

#include <stdlib.h>

#include "crypto.h"
#include "cryptoki.h"

enum { MAX_SLOTS = 16, MAX_SESSIONS = 256, MAX_MECHANISMS = 64, MAX_ID = 64, PATH_SIZE = 1024 };

enum layout { NORMAL, HALVES, REVERSED, BOTH, HASH }; /* of a signature, see lay_out */
enum public_form { LITTLE, BIG, OCTETS };            /* of CKA_VALUE of a GOST public key */

struct object {
	CK_ULONG class, handle;
	CK_BYTE id[MAX_ID];
	size_t idlen;
	char label[64];
	char file[64];   /* in the store, or empty */
	int hidden;      /* CKA_PRIVATE */
	int always;      /* CKA_ALWAYS_AUTHENTICATE */
	enum kind kind;  /* of keys */
	struct key *key; /* of private keys */
	byte *value;     /* certificate, secret, data, SubjectPublicKeyInfo of both halves of a pair */
	size_t len;
	byte *params; /* instead of the OID in the SubjectPublicKeyInfo */
	size_t paramslen;
	const void *session; /* of session objects */
};

struct slot {
	CK_ULONG id;
	char label[64], serial[32], model[32], manufacturer[64];
	char pin[64];
	char tries[PATH_SIZE], present[PATH_SIZE], store[PATH_SIZE];
	int max_tries, keypad; /* keypad: milliseconds, -1 for none */
	int issued; /* the PIN is to be changed */
	CK_RV keypad_answer;
	CK_ULONG mechanisms[MAX_MECHANISMS];
	int nmechanisms;
	enum layout layout;
	enum public_form form;
	struct object **objects;
	size_t nobjects, room;
	int logged_in, was_present;
};

struct session {
	CK_ULONG handle, flags;
	struct slot *slot; /* NULL: free */
	int dead;          /* the token left */
	CK_ULONG *found;
	size_t nfound, next;
	int finding;
	CK_ULONG mechanism; /* of the active signature or digest, NONE for none */
	struct object *key;
	int digesting, authenticated;
};

struct state {
	int initialized, wait_events, hold_events;
	char reserved[256], log[PATH_SIZE];
	CK_ULONG serial; /* of handles */
	struct slot slots[MAX_SLOTS];
	int nslots;
	struct session sessions[MAX_SESSIONS];
};

extern struct state state;

/* system.c */
void lock(void);
void unlock(void);
void pause_ms(int ms);
void wait_changed(void); /* with the lock held, which it lets go of while it waits */
void tell_changed(void);
int exists(const char *path);
byte *read_file(const char *path, size_t *len);
int write_file(const char *path, const void *data, size_t len);
void each_file(const char *dir, void (*f)(struct slot *, const char *name), struct slot *s);

void note(const char *function, CK_RV rv);

/* scenario.c */
int read_scenario(const char *path);
size_t unhex(const char *text, CK_BYTE *out, size_t room);

/* objects.c */
struct object *add_object(struct slot *s, CK_ULONG class);
struct object *find_object(struct slot *s, CK_ULONG handle);
int add_pair(struct slot *s, struct key *k, const struct object *like, int public);
void add_bulk(struct slot *s, const char *what, long n, const char *file);
void refresh_store(struct slot *s);
void remove_object(struct slot *s, size_t i);
void free_objects(struct slot *s);
CK_RV object_attribute(struct slot *s, struct object *o, CK_ULONG type, byte *out, CK_ULONG *len);
int visible(struct session *n, struct object *o);

/* der.c */
size_t der_oid(const byte *spki, size_t n, int parameter, const byte **oid);
size_t der_point(const byte *spki, size_t n, const byte **point);
int der_rsa(const byte *spki, size_t n, const byte **modulus, size_t *mlen, const byte **exponent, size_t *elen);
int der_kind(const byte *spki, size_t n, enum kind *kind);

/* token.c */
struct slot *slot_of(CK_ULONG id);
int present(struct slot *s);
CK_RV session_of(CK_ULONG handle, struct session **n);
int has_mechanism(struct slot *s, CK_ULONG m);
CK_RV check_pin(struct slot *s, const char *pin, CK_ULONG len);
CK_RV login_user(struct session *n, CK_ULONG user, const char *pin, CK_ULONG len);

#endif
