// SPDX-License-Identifier: GPL-3.0-or-later
//
// A library that lies beside csp.dll and is needed by it, as vendors' have them.

__declspec(dllexport) const char *right_pin(void) { return "12345678"; }
