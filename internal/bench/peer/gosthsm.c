/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A PKCS#11 library that is SoftHSM2 with GOST (testdata/p11/softhsm-gost.sh) with a configuration of its own, so that it and
 * the packaged SoftHSM2, which has no GOST, do not show each other's tokens. LIBRARY and CONF are given when it is compiled.
 */
#include <dlfcn.h>
#include <stdlib.h>

unsigned long C_GetFunctionList(void **list)
{
    unsigned long (*get)(void **);
    void *so;

    setenv("SOFTHSM2_CONF", CONF, 1);
    so = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    get = so ? (unsigned long (*)(void **))dlsym(so, "C_GetFunctionList") : NULL;
    return get ? get(list) : 5; /* CKR_GENERAL_ERROR */
}
