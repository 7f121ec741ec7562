/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Makes one signature at a time with a PKCS#11 library, from logged out to logged out, as a program must that keeps no
 * login: C_OpenSession, C_Login, the search for the key (handles of private objects end with a login), C_SignInit, C_Sign,
 * C_Logout, C_CloseSession.
 *
 *   p11once LIBRARY TOKEN-LABEL PIN KEY-ID-HEX MECHANISM DATA-HEX
 *
 * MECHANISM is a number. Each line of standard input is one signature; the answer to it is a line: the nanoseconds of all
 * calls, those of the search alone, those of C_Login alone, and the signature in hex.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef unsigned long word;
typedef word (*fn)(word, ...);

struct list {
    unsigned char version[2];
    void *f[68]; /* in the order of the standard */
};

enum { INITIALIZE = 0, GET_SLOT_LIST = 4, GET_TOKEN_INFO = 6, OPEN_SESSION = 12, CLOSE_SESSION = 13, LOGIN = 18, LOGOUT = 19,
    FIND_INIT = 26, FIND = 27, FIND_FINAL = 28, SIGN_INIT = 42, SIGN = 43 };

struct attribute { word type; void *value; word len; };
struct mechanism { word type; void *parameter; word len; };
struct token_info { char label[32]; char rest[512]; };

static struct list *list;

static word call(int n, word a, word b, word c, word d, word e)
{
    return ((word (*)(word, word, word, word, word))list->f[n])(a, b, c, d, e);
}

static void fail(const char *what, word rv)
{
    fprintf(stderr, "p11once: %s: %#lx\n", what, rv);
    exit(1);
}

static void must(const char *what, word rv)
{
    if (rv) fail(what, rv);
}

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static word unhex(const char *text, unsigned char *out, word room)
{
    word n = strlen(text) / 2, i;
    unsigned byte;
    if (n > room) fail("hex is too long", n);
    for (i = 0; i < n; i++) {
        if (sscanf(text + 2 * i, "%2x", &byte) != 1) fail("not hex", i);
        out[i] = (unsigned char)byte;
    }
    return n;
}

static void load(const char *path)
{
    void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    word (*get)(struct list **) = so ? (word (*)(struct list **))dlsym(so, "C_GetFunctionList") : NULL;
    if (!get) fail(dlerror(), 0);
    must("C_GetFunctionList", get(&list));
    must("C_Initialize", call(INITIALIZE, 0, 0, 0, 0, 0));
}

static word slot_of(const char *label)
{
    word slots[64], n = 64, i;
    struct token_info info;
    must("C_GetSlotList", call(GET_SLOT_LIST, 1, (word)slots, (word)&n, 0, 0));
    for (i = 0; i < n; i++)
        if (!call(GET_TOKEN_INFO, slots[i], (word)&info, 0, 0, 0) && !strncmp(info.label, label, strlen(label)))
            return slots[i];
    fail("no such token", n);
    return 0;
}

static word key_of(word session, unsigned char *id, word len)
{
    word class = 3 /* CKO_PRIVATE_KEY */, key = 0, n = 0;
    struct attribute template[2] = {{0 /* CKA_CLASS */, &class, sizeof class}, {0x102 /* CKA_ID */, id, len}};
    must("C_FindObjectsInit", call(FIND_INIT, session, (word)template, 2, 0, 0));
    must("C_FindObjects", call(FIND, session, (word)&key, 1, (word)&n, 0));
    must("C_FindObjectsFinal", call(FIND_FINAL, session, 0, 0, 0, 0));
    if (n != 1) fail("no such key", n);
    return key;
}

int main(int argc, char **argv)
{
    unsigned char id[256], data[1024], sig[4096];
    struct mechanism how = {0, NULL, 0};
    word slot, idlen, datalen, i;
    char line[16];

    if (argc != 7) fail("usage: p11once LIBRARY TOKEN-LABEL PIN KEY-ID-HEX MECHANISM DATA-HEX", 0);
    load(argv[1]);
    slot = slot_of(argv[2]);
    idlen = unhex(argv[4], id, sizeof id);
    how.type = strtoul(argv[5], NULL, 0);
    datalen = unhex(argv[6], data, sizeof data);
    while (fgets(line, sizeof line, stdin)) {
        word session, key, len = sizeof sig;
        long long began = now(), opened, in, found, ended;
        must("C_OpenSession", call(OPEN_SESSION, slot, 4 /* CKF_SERIAL_SESSION */, 0, 0, (word)&session));
        opened = now();
        must("C_Login", call(LOGIN, session, 1 /* CKU_USER */, (word)argv[3], strlen(argv[3]), 0));
        in = now();
        key = key_of(session, id, idlen);
        found = now();
        must("C_SignInit", call(SIGN_INIT, session, (word)&how, key, 0, 0));
        must("C_Sign", call(SIGN, session, (word)data, datalen, (word)sig, (word)&len));
        must("C_Logout", call(LOGOUT, session, 0, 0, 0, 0));
        must("C_CloseSession", call(CLOSE_SESSION, session, 0, 0, 0, 0));
        ended = now();
        printf("%lld %lld %lld ", ended - began, found - in, in - opened);
        for (i = 0; i < len; i++) printf("%02x", sig[i]);
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
