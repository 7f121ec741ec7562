/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A PKCS#11 module that forwards to another one and goes wrong on command. Built by the tests:
 *
 *     cc -shared -fPIC -o faults.so faults.c -ldl -lpthread
 *
 * Environment, read when the library is loaded:
 *
 *     FAULT_MODULE   the real module, absolute path
 *     FAULT          FUNCTION:CALL:WHAT, CALL counted from 1 in this process, 0 for every call. WHAT is one of
 *                    rv=NUMBER crash abort exit hang slow=MS huge negative grow junk
 *     FAULT_ONCE     a file: the fault happens only if it is not there, and makes it
 *     FAULT_GONE     a file: while it is there, the token is not
 *     FAULT_TRIES    a file with the PIN attempts left, a digit; the token then counts them and tells its flags
 *     FAULT_ALWAYS   the PIN: private keys ask for it before each signature
 *     FAULT_LOG      a file that gets a line per C_Login: user type, attempts left before, return value
 *
 * Every call is forwarded with eight machine words, which the calling conventions of amd64 and arm64 allow.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef unsigned long word;
typedef word (*fn)(word, word, word, word, word, word, word, word);

struct list {
	unsigned char version[2];
	fn f[68];
};

struct attribute {
	word type;
	void *value;
	word len;
};

static const char *const names[68] = {
	"C_Initialize", "C_Finalize", "C_GetInfo", "C_GetFunctionList", "C_GetSlotList", "C_GetSlotInfo", "C_GetTokenInfo",
	"C_GetMechanismList", "C_GetMechanismInfo", "C_InitToken", "C_InitPIN", "C_SetPIN", "C_OpenSession", "C_CloseSession",
	"C_CloseAllSessions", "C_GetSessionInfo", "C_GetOperationState", "C_SetOperationState", "C_Login", "C_Logout",
	"C_CreateObject", "C_CopyObject", "C_DestroyObject", "C_GetObjectSize", "C_GetAttributeValue", "C_SetAttributeValue",
	"C_FindObjectsInit", "C_FindObjects", "C_FindObjectsFinal", "C_EncryptInit", "C_Encrypt", "C_EncryptUpdate",
	"C_EncryptFinal", "C_DecryptInit", "C_Decrypt", "C_DecryptUpdate", "C_DecryptFinal", "C_DigestInit", "C_Digest",
	"C_DigestUpdate", "C_DigestKey", "C_DigestFinal", "C_SignInit", "C_Sign", "C_SignUpdate", "C_SignFinal",
	"C_SignRecoverInit", "C_SignRecover", "C_VerifyInit", "C_Verify", "C_VerifyUpdate", "C_VerifyFinal",
	"C_VerifyRecoverInit", "C_VerifyRecover", "C_DigestEncryptUpdate", "C_DecryptDigestUpdate", "C_SignEncryptUpdate",
	"C_DecryptVerifyUpdate", "C_GenerateKey", "C_GenerateKeyPair", "C_WrapKey", "C_UnwrapKey", "C_DeriveKey",
	"C_SeedRandom", "C_GenerateRandom", "C_GetFunctionStatus", "C_CancelFunction", "C_WaitForSlotEvent",
};

enum { GET_FUNCTION_LIST = 3, GET_SLOT_LIST = 4, GET_SLOT_INFO = 5, GET_TOKEN_INFO = 6, GET_MECHANISM_LIST = 7,
	LOGIN = 18, GET_ATTRIBUTE_VALUE = 24, FIND_OBJECTS = 27, SIGN = 43 };

enum { OK = 0, PIN_INCORRECT = 0xA0, PIN_LOCKED = 0xA4, DEVICE_REMOVED = 0x32, TOKEN_NOT_PRESENT = 0xE0,
	NOT_LOGGED_IN = 0x101 };

static struct list *real, ours;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static word calls[68];
static char fault_name[64], fault_what[64];
static word fault_call;
static int authenticated;

static int exists(const char *variable)
{
	const char *path = getenv(variable);
	return path && access(path, F_OK) == 0;
}

/* due tells whether this call is the one that goes wrong. */
static int due(int i)
{
	const char *once = getenv("FAULT_ONCE");
	word n;

	pthread_mutex_lock(&lock);
	n = ++calls[i];
	pthread_mutex_unlock(&lock);
	if (strcmp(names[i], fault_name) || (fault_call && fault_call != n) || exists("FAULT_ONCE"))
		return 0;
	if (once) {
		FILE *f = fopen(once, "w");
		if (f)
			fclose(f);
	}
	return 1;
}

static int tries(void)
{
	const char *path = getenv("FAULT_TRIES");
	FILE *f = path ? fopen(path, "r") : NULL;
	int n = -1;

	if (f) {
		if (fscanf(f, "%d", &n) != 1)
			n = -1;
		fclose(f);
	}
	return n;
}

static void set_tries(int n)
{
	FILE *f = fopen(getenv("FAULT_TRIES"), "w");

	if (f) {
		fprintf(f, "%d", n);
		fclose(f);
	}
}

static word forward(int i, word *a)
{
	return real->f[i](a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
}

static word login(word *a)
{
	const char *always = getenv("FAULT_ALWAYS"), *log = getenv("FAULT_LOG");
	int left = tries();
	word rv;

	if (a[1] == 2 && always) {
		authenticated = a[3] == strlen(always) && !memcmp((void *)a[2], always, a[3]);
		rv = authenticated ? OK : PIN_INCORRECT;
	} else if (left == 0) {
		rv = PIN_LOCKED;
	} else {
		rv = forward(LOGIN, a);
		if (left > 0 && rv == PIN_INCORRECT)
			set_tries(left - 1);
		if (left > 0 && rv == OK)
			set_tries(3);
	}
	if (log) {
		FILE *f = fopen(log, "a");
		if (f) {
			fprintf(f, "%lu %d %#lx\n", a[1], left, rv);
			fclose(f);
		}
	}
	return rv;
}

/* answer is the call without faults, with what this module simulates. */
static word answer(int i, word *a)
{
	int gone = exists("FAULT_GONE"), left;
	word rv;

	if (gone && i == GET_SLOT_LIST && (a[0] & 0xff)) {
		*(word *)a[2] = 0;
		return OK;
	}
	if (gone && i == GET_TOKEN_INFO)
		return TOKEN_NOT_PRESENT;
	if (gone && i > 7 && i != GET_FUNCTION_LIST)
		return DEVICE_REMOVED;
	if (i == SIGN && getenv("FAULT_ALWAYS") && a[3]) {
		if (!authenticated)
			return NOT_LOGGED_IN;
		authenticated = 0;
	}
	rv = i == LOGIN ? login(a) : forward(i, a);
	if (gone && i == GET_SLOT_INFO && rv == OK)
		*(word *)(a[1] + 96) &= ~1UL;
	if (i == GET_TOKEN_INFO && rv == OK && (left = tries()) >= 0) {
		word *flags = (word *)(a[1] + 96);
		*flags &= ~0x70000UL;
		*flags |= left == 0 ? 0x40000 : left == 1 ? 0x30000 : left == 2 ? 0x10000 : 0;
	}
	if (i == GET_ATTRIBUTE_VALUE && getenv("FAULT_ALWAYS")) {
		struct attribute *t = (struct attribute *)a[2];
		if (a[3] == 1 && t->type == 0x202) {
			t->len = 1;
			if (t->value)
				*(char *)t->value = 1;
			return OK;
		}
	}
	return rv;
}

/* length finds where a function says how long its result is. */
static word *length(int i, word *a)
{
	switch (i) {
	case GET_SLOT_LIST:
	case GET_MECHANISM_LIST:
		return (word *)a[2];
	case FIND_OBJECTS:
		return (word *)a[3];
	case SIGN:
		return (word *)a[4];
	case GET_ATTRIBUTE_VALUE:
		return &((struct attribute *)a[2])->len;
	}
	return NULL;
}

/* junk overwrites results with bytes that mean nothing. */
static void junk(int i, word *a)
{
	struct attribute *t;

	switch (i) {
	case GET_SLOT_LIST:
	case GET_MECHANISM_LIST:
		if (a[1])
			memset((void *)a[1], 0xA5, *(word *)a[2] * sizeof(word));
		break;
	case GET_SLOT_INFO:
	case GET_TOKEN_INFO:
		memset((void *)a[1], 0xA5, 96);
		break;
	case FIND_OBJECTS:
		memset((void *)a[1], 0xA5, *(word *)a[3] * sizeof(word));
		break;
	case SIGN:
		if (a[3])
			memset((void *)a[3], 0xA5, *(word *)a[4]);
		break;
	case GET_ATTRIBUTE_VALUE:
		t = (struct attribute *)a[2];
		if (t->value && t->len != (word)-1)
			memset(t->value, 0xA5, t->len);
		break;
	}
}

static word spoiled(int i, word *a)
{
	word rv = answer(i, a), *len = length(i, a);

	if (rv)
		return rv;
	if (!strcmp(fault_what, "huge") && len)
		*len = 1UL << 40;
	else if (!strcmp(fault_what, "negative") && len)
		*len = (word)-1;
	else if (!strcmp(fault_what, "grow") && len)
		*len += 64;
	else if (!strcmp(fault_what, "junk"))
		junk(i, a);
	return rv;
}

/* The Go runtime sends signals to threads; each would cut a plain sleep short. */
static void slow(unsigned long ms)
{
	struct timespec left = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };

	while (nanosleep(&left, &left) == -1 && errno == EINTR)
		;
}

static word run(int i, word *a)
{
	if (!due(i))
		return answer(i, a);
	if (!strncmp(fault_what, "rv=", 3))
		return strtoul(fault_what + 3, NULL, 0);
	if (!strcmp(fault_what, "crash"))
		*(volatile int *)8 = 1;
	if (!strcmp(fault_what, "abort"))
		abort();
	if (!strcmp(fault_what, "exit"))
		_exit(0);
	if (!strcmp(fault_what, "hang"))
		for (;;)
			pause();
	if (!strncmp(fault_what, "slow=", 5))
		slow(strtoul(fault_what + 5, NULL, 0));
	return spoiled(i, a);
}

#define W(n) static word w##n(word a, word b, word c, word d, word e, word f, word g, word h) \
	{ word args[8] = { a, b, c, d, e, f, g, h }; return run(n, args); }
W(0) W(1) W(2) W(4) W(5) W(6) W(7) W(8) W(9) W(10) W(11) W(12) W(13) W(14) W(15) W(16) W(17) W(18) W(19) W(20) W(21)
W(22) W(23) W(24) W(25) W(26) W(27) W(28) W(29) W(30) W(31) W(32) W(33) W(34) W(35) W(36) W(37) W(38) W(39) W(40) W(41)
W(42) W(43) W(44) W(45) W(46) W(47) W(48) W(49) W(50) W(51) W(52) W(53) W(54) W(55) W(56) W(57) W(58) W(59) W(60) W(61)
W(62) W(63) W(64) W(65) W(66) W(67)

word C_GetFunctionList(struct list **out);

static word w3(word a, word b, word c, word d, word e, word f, word g, word h)
{
	(void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
	return C_GetFunctionList((struct list **)a);
}

static struct list ours = { { 2, 40 }, {
	w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15, w16, w17, w18, w19, w20, w21, w22, w23, w24, w25,
	w26, w27, w28, w29, w30, w31, w32, w33, w34, w35, w36, w37, w38, w39, w40, w41, w42, w43, w44, w45, w46, w47, w48, w49,
	w50, w51, w52, w53, w54, w55, w56, w57, w58, w59, w60, w61, w62, w63, w64, w65, w66, w67 } };

static void scenario(void)
{
	const char *s = getenv("FAULT");

	if (s && sscanf(s, "%63[^:]:%lu:%63s", fault_name, &fault_call, fault_what) != 3)
		fprintf(stderr, "faults: cannot read FAULT=%s\n", s);
}

__attribute__((visibility("default"))) word C_GetFunctionList(struct list **out)
{
	const char *path = getenv("FAULT_MODULE");
	void *h = path ? dlopen(path, RTLD_NOW) : NULL;
	word (*get)(struct list **) = h ? (word(*)(struct list **))dlsym(h, "C_GetFunctionList") : NULL;

	if (!get || get(&real))
		return 5; /* CKR_GENERAL_ERROR */
	if (!fault_name[0])
		scenario();
	*out = &ours;
	return OK;
}
