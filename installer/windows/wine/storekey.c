// SPDX-License-Identifier: GPL-3.0-or-later
//
// Puts the key and the certificate of a PKCS#12 file into the current user's store, as Windows does when somebody opens the
// file. The key is said to be at the provider that knows SHA-2: wine imports into an older one, whose containers are the same.

#include <windows.h>
#include <wincrypt.h>
#include <stdio.h>

static int fail(const char *what) {
    fprintf(stderr, "%s: %#lx\n", what, GetLastError());
    return 1;
}

int main(int argc, char **argv) {
    static BYTE file[1 << 16], buffer[1 << 12];
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!f) return fail(".p12");
    CRYPT_DATA_BLOB blob = {fread(file, 1, sizeof file, f), file};
    HCERTSTORE from = PFXImportCertStore(&blob, L"1234", CRYPT_USER_KEYSET);
    if (!from) return fail("PFXImportCertStore");
    PCCERT_CONTEXT c = NULL;
    DWORD size;
    do {
        c = CertEnumCertificatesInStore(from, c);
        size = sizeof buffer;
    } while (c && !CertGetCertificateContextProperty(c, CERT_KEY_PROV_INFO_PROP_ID, buffer, &size));
    if (!c) return fail("no key");
    CRYPT_KEY_PROV_INFO *info = (CRYPT_KEY_PROV_INFO *)buffer;
    info->pwszProvName = MS_ENH_RSA_AES_PROV_W;
    info->dwProvType = PROV_RSA_AES;
    info->dwKeySpec = AT_KEYEXCHANGE;
    if (!CertSetCertificateContextProperty(c, CERT_KEY_PROV_INFO_PROP_ID, 0, info)) return fail("CertSetCertificateContextProperty");
    HCERTSTORE my = CertOpenSystemStoreW(0, L"MY");
    if (!my || !CertAddCertificateContextToStore(my, c, CERT_STORE_ADD_REPLACE_EXISTING, NULL)) return fail("CertAddCertificateContextToStore");
    return CertCloseStore(my, 0) ? 0 : fail("CertCloseStore");
}
