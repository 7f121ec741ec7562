// SPDX-License-Identifier: GPL-3.0-or-later

// Package pkcs11 is the token implementation over PKCS#11 libraries of vendors. It holds both ends of one socket: the
// [Inventory] in the daemon and [Serve] in the child process that loads the library. No vendor code runs in the daemon.
//
// # Contract
//
// There is one child per [Module]. Every call has a deadline; a child that misses it or dies is killed and started
// again at the next call, after a pause that grows while it keeps failing. Whatever a library does, callers get a typed
// error of package token. The PIN goes to the child as a descriptor and is read there into locked memory; the daemon
// sees no digit of it.
//
// A login in PKCS#11 belongs to the process and the token, so the child keeps at most one open session per slot, and
// CKR_USER_ALREADY_LOGGED_IN is an error, never a success. After each signature the daemon checks it with the
// certificate's public key; a layout of the halves other than the standard's is recognised there.
//
// # Lists
//
// Certificates are public objects and are listed without login, and kept per token serial number and insertion, for a
// minute at most. A private key belongs to the certificate with the same CKA_ID, else with the same public key.
//
// # Concurrency
//
// Inventory is safe for concurrent use. The child serves calls concurrently, one at a time per session.
//
// # Standards
//
// PKCS#11 v2.40 and the TC26 vendor range for GOST R 34.10-2012; RFC 8017 section 9.2 for DigestInfo.
package pkcs11
