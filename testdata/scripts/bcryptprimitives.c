/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For tests under wine, which lacks this library of Windows before version 9: programs of Go ask it for random bytes. */
#include <windows.h>
#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(BYTE *data, SIZE_T size) { return RtlGenRandom(data, (ULONG)size); }
