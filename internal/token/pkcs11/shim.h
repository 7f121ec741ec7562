/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The few Cryptoki calls that must not go through a general binding: those that carry a PIN or whose output length the
 * module chooses. Only the parts of the PKCS#11 v2.40 ABI they need are declared.
 */
#ifndef PERSTEN_SHIM_H
#define PERSTEN_SHIM_H

#ifdef _WIN32
#pragma pack(push, 1) /* Cryptoki structures are packed on Windows */
#endif

typedef unsigned long ck_ulong;

struct ck_function_list {
	unsigned char version[2];
	void *f[68]; /* in the order of the standard */
};

struct ck_attribute {
	ck_ulong type;
	void *value;
	ck_ulong len;
};

#ifdef _WIN32
#pragma pack(pop)
#endif

enum { FN_GET_SLOT_LIST = 4, FN_GET_MECHANISM_LIST = 7, FN_LOGIN = 18, FN_GET_ATTRIBUTE_VALUE = 24, FN_FIND_OBJECTS = 27,
	FN_SIGN = 43, FN_WAIT_FOR_SLOT_EVENT = 67 };

/* What the shim itself can find wrong; above any CKR_ value in use. */
#define PERSTEN_BAD_LENGTH 0xFFFFFFF0UL
#define PERSTEN_NO_FUNCTION 0xFFFFFFF1UL

/* persten_load opens the library at path (UTF-8) and finds its functions. On failure it returns NULL and a reason. */
struct ck_function_list *persten_load(const char *path, char *why, int whysize);

/* persten_ansi_path gives a spelling of path that a char* loader understands; *out is the path itself but on Windows. */
int persten_ansi_path(const char *path, char *out, int size);

/* persten_slots lists the slots with a token; *len is the room on entry and the number on return, as in what follows. */
ck_ulong persten_slots(struct ck_function_list *l, ck_ulong *out, ck_ulong *len);

/* persten_mechanisms lists what the token in slot can do. */
ck_ulong persten_mechanisms(struct ck_function_list *l, ck_ulong slot, ck_ulong *out, ck_ulong *len);

/* persten_find returns the next objects of a search. */
ck_ulong persten_find(struct ck_function_list *l, ck_ulong session, ck_ulong *out, ck_ulong *len);

/* persten_wait waits for a token to come or go, or with flags 1 looks whether one did. */
ck_ulong persten_wait(struct ck_function_list *l, ck_ulong flags, ck_ulong *slot);

/* persten_login passes pin on as it is, in place. */
ck_ulong persten_login(struct ck_function_list *l, ck_ulong session, ck_ulong user, void *pin, ck_ulong len);

/* persten_attribute reads one attribute into out; *len is the room on entry and the size on return. */
ck_ulong persten_attribute(struct ck_function_list *l, ck_ulong session, ck_ulong object, ck_ulong type, void *out,
	ck_ulong *len);

/* persten_sign makes the signature in one call; *len as above. */
ck_ulong persten_sign(struct ck_function_list *l, ck_ulong session, void *data, ck_ulong n, void *out, ck_ulong *len);

#endif
