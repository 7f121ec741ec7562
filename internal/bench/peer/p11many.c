/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Makes many signatures in one session of a PKCS#11 library: C_SignInit and C_Sign in turn, nothing between them.
 *
 *   p11many LIBRARY TOKEN-LABEL PIN KEY-ID-HEX MECHANISM DATA-HEX COUNT
 *
 * Each line of standard input is COUNT signatures, after a login that is not counted; the answer to it is a line: the
 * nanoseconds they took. The last two bytes of the data differ from one signature to the next.
 *
 * How the library is loaded and the key is found is p11once.c's.
 */
#define main p11once
#include "p11once.c"
#undef main

int main(int argc, char **argv)
{
    unsigned char id[256], data[1024], sig[4096];
    struct mechanism how = {0, NULL, 0};
    word slot, idlen, datalen, count, i;
    char line[16];

    if (argc != 8) fail("usage: p11many LIBRARY TOKEN-LABEL PIN KEY-ID-HEX MECHANISM DATA-HEX COUNT", 0);
    load(argv[1]);
    slot = slot_of(argv[2]);
    idlen = unhex(argv[4], id, sizeof id);
    how.type = strtoul(argv[5], NULL, 0);
    datalen = unhex(argv[6], data, sizeof data);
    count = strtoul(argv[7], NULL, 0);
    if (datalen < 2) fail("data is too short", datalen);
    while (fgets(line, sizeof line, stdin)) {
        word session, key;
        long long began;
        must("C_OpenSession", call(OPEN_SESSION, slot, 4 /* CKF_SERIAL_SESSION */, 0, 0, (word)&session));
        must("C_Login", call(LOGIN, session, 1 /* CKU_USER */, (word)argv[3], strlen(argv[3]), 0));
        key = key_of(session, id, idlen);
        began = now();
        for (i = 0; i < count; i++) {
            word len = sizeof sig;
            data[datalen - 1] = (unsigned char)i;
            data[datalen - 2] = (unsigned char)(i >> 8);
            must("C_SignInit", call(SIGN_INIT, session, (word)&how, key, 0, 0));
            must("C_Sign", call(SIGN, session, (word)data, datalen, (word)sig, (word)&len));
        }
        printf("%lld\n", now() - began);
        must("C_Logout", call(LOGOUT, session, 0, 0, 0, 0));
        must("C_CloseSession", call(CLOSE_SESSION, session, 0, 0, 0, 0));
        fflush(stdout);
    }
    must("C_Finalize", call(1, 0, 0, 0, 0, 0));
    return 0;
}
