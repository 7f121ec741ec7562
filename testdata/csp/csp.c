// SPDX-License-Identifier: GPL-3.0-or-later
//
// A CryptoAPI provider for tests under wine: the keys of the system's own provider behind a PIN, with faults that the environment
// names (PERSTEN_CSP_FAULT):
//   licence  refuses to sign, as a provider whose licence has ended
//   blocked  says that the card is blocked
//   late     looks at the PIN only when it signs
//   window   asks in a window of its own that nobody answers
//   crash    dies when it signs

#include <windows.h>
#include <wincrypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *right_pin(void);

#define API __declspec(dllexport) BOOL WINAPI

static const DWORD wrong_chv = 0x8010006B, chv_blocked = 0x8010006C, licence_ended = 0x8007065B;

struct provider {
    HCRYPTPROV under;
    BOOL silent, entered, right;
};

static BOOL refuse(DWORD status) {
    SetLastError(status);
    return FALSE;
}

static BOOL fault(const char *name) {
    char value[32];
    DWORD n = GetEnvironmentVariableA("PERSTEN_CSP_FAULT", value, sizeof value);
    return n > 0 && n < sizeof value && strcmp(value, name) == 0;
}

API CPAcquireContext(struct provider **out, LPSTR container, DWORD flags, void *table) {
    (void)table;
    struct provider *p = calloc(1, sizeof *p);
    if (!p) return refuse(NTE_NO_MEMORY);
    p->silent = (flags & CRYPT_SILENT) != 0;
    flags &= ~CRYPT_SILENT;
    if (!CryptAcquireContextA(&p->under, container, MS_ENH_RSA_AES_PROV_A, PROV_RSA_AES, flags) &&
        !CryptAcquireContextA(&p->under, NULL, MS_ENH_RSA_AES_PROV_A, PROV_RSA_AES, CRYPT_VERIFYCONTEXT)) {
        free(p);
        return FALSE;
    }
    *out = p;
    return TRUE;
}

API CPReleaseContext(struct provider *p, DWORD flags) {
    BOOL ok = CryptReleaseContext(p->under, flags);
    free(p);
    return ok;
}

// A second entry is a second attempt, which nobody has made.
API CPSetProvParam(struct provider *p, DWORD what, BYTE *data, DWORD flags) {
    (void)flags;
    if (what != PP_KEYEXCHANGE_PIN && what != PP_SIGNATURE_PIN) return refuse(NTE_BAD_TYPE);
    if (p->entered) return refuse(NTE_FAIL);
    if (fault("blocked")) return refuse(chv_blocked);
    p->entered = TRUE;
    p->right = strcmp((char *)data, right_pin()) == 0;
    return p->right || fault("late") ? TRUE : refuse(wrong_chv);
}

static BOOL unlocked(struct provider *p) {
    if (p->entered) return p->right ? TRUE : refuse(wrong_chv);
    if (p->silent) return refuse(NTE_SILENT_CONTEXT);
    if (fault("window")) {
        MessageBoxW(NULL, L"PIN", L"Test provider", MB_OK);
        Sleep(INFINITE); // without a display nothing was shown
    }
    return TRUE;
}

// A hash of the system's provider, or of GOST R 34.11-2012, which it does not know.
struct hash {
    HCRYPTHASH under;
    DWORD size; // of value; 0: the system's
    BYTE value[64];
};

API CPCreateHash(struct provider *p, ALG_ID id, HCRYPTKEY key, DWORD flags, struct hash **out) {
    struct hash *h = calloc(1, sizeof *h);
    if (!h) return refuse(NTE_NO_MEMORY);
    h->size = id == 0x8021 ? 32 : id == 0x8022 ? 64 : 0;
    if (!h->size && !CryptCreateHash(p->under, id, key, flags, &h->under)) {
        free(h);
        return FALSE;
    }
    *out = h;
    return TRUE;
}

API CPDestroyHash(struct provider *p, struct hash *h) {
    (void)p;
    BOOL ok = h->size || CryptDestroyHash(h->under);
    free(h);
    return ok;
}

API CPSetHashParam(struct provider *p, struct hash *h, DWORD what, BYTE *data, DWORD flags) {
    (void)p;
    if (!h->size) return CryptSetHashParam(h->under, what, data, flags);
    if (what != HP_HASHVAL) return refuse(NTE_BAD_TYPE);
    memcpy(h->value, data, h->size);
    return TRUE;
}

API CPGetHashParam(struct provider *p, struct hash *h, DWORD what, BYTE *data, DWORD *size, DWORD flags) {
    (void)p;
    return h->size ? refuse(NTE_NOT_SUPPORTED) : CryptGetHashParam(h->under, what, data, size, flags);
}

// There is no GOST here: the file that PERSTEN_CSP_GOST names holds a digest and its signature, the last byte first.
static BOOL signed_before(struct hash *h, BYTE *out, DWORD *size) {
    BYTE both[3 * 64];
    char name[MAX_PATH];
    DWORD n = GetEnvironmentVariableA("PERSTEN_CSP_GOST", name, sizeof name);
    FILE *f = n && n < sizeof name ? fopen(name, "rb") : NULL;
    n = f ? fread(both, 1, sizeof both, f) : 0;
    if (f) fclose(f);
    if (n != 3 * h->size || memcmp(both, h->value, h->size)) return refuse(NTE_BAD_HASH);
    if (*size < 2 * h->size) return refuse(ERROR_MORE_DATA);
    memcpy(out, both + h->size, *size = 2 * h->size);
    return TRUE;
}

API CPSignHash(struct provider *p, struct hash *h, DWORD spec, LPCWSTR text, DWORD flags, BYTE *out, DWORD *size) {
    if (fault("licence")) return refuse(licence_ended); // wine hides what opening a key answers
    if (!unlocked(p)) return FALSE;
    if (fault("crash")) TerminateProcess(GetCurrentProcess(), 3);
    return h->size ? signed_before(h, out, size) : CryptSignHashW(h->under, spec, text, flags, out, size);
}

API CPGetProvParam(struct provider *p, DWORD what, BYTE *data, DWORD *size, DWORD flags) { return CryptGetProvParam(p->under, what, data, size, flags); }
API CPGetUserKey(struct provider *p, DWORD spec, HCRYPTKEY *key) { return CryptGetUserKey(p->under, spec, key); }
API CPDestroyKey(struct provider *p, HCRYPTKEY key) { (void)p; return CryptDestroyKey(key); }

// What a provider must export and nobody calls here.
#define ABSENT(name) API name(void) { return refuse(NTE_NOT_SUPPORTED); }
ABSENT(CPGenKey)
ABSENT(CPDeriveKey)
ABSENT(CPSetKeyParam)
ABSENT(CPGetKeyParam)
ABSENT(CPExportKey)
ABSENT(CPImportKey)
ABSENT(CPEncrypt)
ABSENT(CPDecrypt)
ABSENT(CPHashData)
ABSENT(CPHashSessionKey)
ABSENT(CPGenRandom)
ABSENT(CPVerifySignature)
ABSENT(CPDuplicateHash)
ABSENT(CPDuplicateKey)
