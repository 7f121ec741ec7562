/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fills tokens of a PKCS#11 library with key pairs and certificates, or lists the certificates twice, as directly as the
 * interface allows.
 *
 *   p11list fill LIBRARY PIN < OBJECTS    a line each: token label, id, certificate, curve OID, point, private key; hex
 *   p11list list LIBRARY                  prints how many, and the nanoseconds of the first and of the second listing
 *
 * The first listing includes C_Initialize. A listing is, for each token: C_OpenSession, C_FindObjects, for each certificate
 * CKA_ID, CKA_LABEL and CKA_VALUE, C_CloseSession.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pkcs11go.h"

enum { ROOM = 4096, MOST = 64 };

static CK_FUNCTION_LIST *p11;

static void must(const char *what, CK_RV rv)
{
    if (rv == CKR_OK) return;
    fprintf(stderr, "%s: 0x%lx\n", what, (unsigned long)rv);
    exit(1);
}

static void load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW);
    CK_RV (*get)(CK_FUNCTION_LIST **) = library ? (CK_RV (*)(CK_FUNCTION_LIST **))dlsym(library, "C_GetFunctionList") : NULL;
    if (!get) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    must("C_GetFunctionList", get(&p11));
}

static CK_ULONG slots(CK_SLOT_ID *list)
{
    CK_ULONG n = MOST;
    must("C_GetSlotList", p11->C_GetSlotList(CK_TRUE, list, &n));
    return n;
}

static size_t unhex(const char *text, CK_BYTE *out)
{
    size_t n = 0;
    unsigned byte;
    for (; n < ROOM && sscanf(text + 2 * n, "%2x", &byte) == 1; n++) out[n] = (CK_BYTE)byte;
    return n;
}

/* opened is a session with the token of this label, logged in; one for each token is kept open. */
static CK_SESSION_HANDLE opened(const char *label, const char *pin)
{
    static struct { char label[33]; CK_SESSION_HANDLE session; } known[MOST];
    static int count;
    CK_SLOT_ID list[MOST];
    CK_ULONG n;
    CK_TOKEN_INFO info;
    for (int i = 0; i < count; i++)
        if (!strcmp(known[i].label, label)) return known[i].session;
    n = slots(list);
    for (CK_ULONG i = 0; i < n; i++) {
        must("C_GetTokenInfo", p11->C_GetTokenInfo(list[i], &info));
        if (strncmp((char *)info.label, label, strlen(label)) || info.label[strlen(label)] != ' ') continue;
        must("C_OpenSession", p11->C_OpenSession(list[i], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &known[count].session));
        must("C_Login", p11->C_Login(known[count].session, CKU_USER, (CK_UTF8CHAR *)pin, strlen(pin)));
        strcpy(known[count].label, label);
        return known[count++].session;
    }
    fprintf(stderr, "no token %s\n", label);
    exit(1);
}

static void add(CK_SESSION_HANDLE h, char hex[5][2 * ROOM])
{
    static CK_BYTE id[ROOM], cert[ROOM], curve[ROOM], point[ROOM], secret[ROOM];
    CK_ULONG idlen = unhex(hex[0], id), certlen = unhex(hex[1], cert), curvelen = unhex(hex[2], curve), pointlen = unhex(hex[3], point),
        secretlen = unhex(hex[4], secret);
    CK_OBJECT_CLASS certificates = CKO_CERTIFICATE, privates = CKO_PRIVATE_KEY, publics = CKO_PUBLIC_KEY;
    CK_CERTIFICATE_TYPE x509 = CKC_X_509;
    CK_KEY_TYPE ec = CKK_EC;
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_BYTE subject[] = { 0x30, 0 };
    CK_OBJECT_HANDLE made;
    CK_ATTRIBUTE c[] = { { CKA_CLASS, &certificates, sizeof certificates }, { CKA_CERTIFICATE_TYPE, &x509, sizeof x509 }, { CKA_TOKEN, &yes, 1 },
        { CKA_PRIVATE, &no, 1 }, { CKA_ID, id, idlen }, { CKA_SUBJECT, subject, sizeof subject }, { CKA_VALUE, cert, certlen } };
    CK_ATTRIBUTE pub[] = { { CKA_CLASS, &publics, sizeof publics }, { CKA_KEY_TYPE, &ec, sizeof ec }, { CKA_TOKEN, &yes, 1 }, { CKA_PRIVATE, &no, 1 },
        { CKA_ID, id, idlen }, { CKA_VERIFY, &yes, 1 }, { CKA_EC_PARAMS, curve, curvelen }, { CKA_EC_POINT, point, pointlen } };
    CK_ATTRIBUTE priv[] = { { CKA_CLASS, &privates, sizeof privates }, { CKA_KEY_TYPE, &ec, sizeof ec }, { CKA_TOKEN, &yes, 1 },
        { CKA_PRIVATE, &yes, 1 }, { CKA_SENSITIVE, &yes, 1 }, { CKA_ID, id, idlen }, { CKA_SIGN, &yes, 1 }, { CKA_EC_PARAMS, curve, curvelen },
        { CKA_VALUE, secret, secretlen } };
    must("certificate", p11->C_CreateObject(h, c, sizeof c / sizeof *c, &made));
    must("public key", p11->C_CreateObject(h, pub, sizeof pub / sizeof *pub, &made));
    must("private key", p11->C_CreateObject(h, priv, sizeof priv / sizeof *priv, &made));
}

static void fill(const char *pin)
{
    static char label[33], hex[5][2 * ROOM];
    while (scanf("%32s %8191s %8191s %8191s %8191s %8191s", label, hex[0], hex[1], hex[2], hex[3], hex[4]) == 6) add(opened(label, pin), hex);
}

static void attribute(CK_SESSION_HANDLE h, CK_OBJECT_HANDLE o, CK_ATTRIBUTE_TYPE type)
{
    static CK_BYTE value[ROOM];
    CK_ATTRIBUTE a = { type, value, sizeof value };
    must("C_GetAttributeValue", p11->C_GetAttributeValue(h, o, &a, 1));
}

static int list(void)
{
    CK_SLOT_ID ids[MOST];
    CK_ULONG n = slots(ids), got;
    CK_OBJECT_CLASS class = CKO_CERTIFICATE;
    CK_ATTRIBUTE wanted = { CKA_CLASS, &class, sizeof class };
    CK_OBJECT_HANDLE found[1024];
    int total = 0;
    for (CK_ULONG i = 0; i < n; i++) {
        CK_SESSION_HANDLE h;
        CK_TOKEN_INFO info;
        must("C_GetTokenInfo", p11->C_GetTokenInfo(ids[i], &info));
        if (!(info.flags & CKF_TOKEN_INITIALIZED)) continue;
        must("C_OpenSession", p11->C_OpenSession(ids[i], CKF_SERIAL_SESSION, NULL, NULL, &h));
        must("C_FindObjectsInit", p11->C_FindObjectsInit(h, &wanted, 1));
        must("C_FindObjects", p11->C_FindObjects(h, found, sizeof found / sizeof *found, &got));
        must("C_FindObjectsFinal", p11->C_FindObjectsFinal(h));
        for (CK_ULONG j = 0; j < got; j++) {
            attribute(h, found[j], CKA_ID);
            attribute(h, found[j], CKA_LABEL);
            attribute(h, found[j], CKA_VALUE);
        }
        total += (int)got;
        must("C_CloseSession", p11->C_CloseSession(h));
    }
    return total;
}

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
    CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
    long long began = now(), between;
    if (argc < 3 || (!strcmp(argv[1], "fill") && argc < 4)) {
        fprintf(stderr, "usage: p11list fill LIBRARY PIN | list LIBRARY\n");
        return 2;
    }
    load(argv[2]);
    must("C_Initialize", p11->C_Initialize(&args));
    if (!strcmp(argv[1], "fill")) {
        fill(argv[3]);
    } else {
        int n = list();
        between = now();
        if (list() != n) must("another number of certificates", CKR_GENERAL_ERROR);
        printf("%d %lld %lld\n", n, between - began, now() - between);
    }
    must("C_Finalize", p11->C_Finalize(NULL));
    return 0;
}
