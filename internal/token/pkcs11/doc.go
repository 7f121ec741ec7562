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
// CKR_USER_ALREADY_LOGGED_IN is an error, never a success. The child ends soon after the daemon, whatever the library does.
//
// # Modules
//
// [Catalogue] finds libraries by modules.json and by p11-kit's registry; [FromConfig] makes a module of one that the user
// named. Of several modules that show the same token the one of the lowest rank is used. A module that fails is a
// *token.ModuleError, whose Kind has a text with advice.
//
// # Signatures
//
// The mechanism is chosen by what the token lists: one that takes a ready digest, else one that hashes by itself, which
// gets the message. After each signature the daemon checks it with the public key. A module with another byte order of the
// signature or of the digest is recognised there and remembered. Where neither CKA_ID nor a public part ties a private key
// to the certificate, those that may be it are tried with what was to be signed, until one proves to be it.
//
// # Lists
//
// Certificates are public objects and are listed without login, and kept per token serial number and insertion, for a
// minute at most, until a slot event, Refresh, a key made here or a new child. A key without a certificate is listed by
// its public half.
//
// # Events
//
// A module that can wait for slot events does so in a thread of its child; one that cannot, or that answers nothing else
// meanwhile, is looked at each second while somebody listens.
//
// # Concurrency
//
// Inventory is safe for concurrent use. The child serves calls concurrently, one at a time per session.
//
// # Standards
//
// PKCS#11 v2.40 and the TC26 vendor range for GOST R 34.10-2012; RFC 8017 section 9.2 for DigestInfo.
package pkcs11
