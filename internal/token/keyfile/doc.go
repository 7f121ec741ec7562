// SPDX-License-Identifier: GPL-3.0-or-later

// Package keyfile is the token implementation over files: PKCS#12 key files that a person names, and the demo token.
//
// # Contract
//
// [OpenFile] reads a PKCS#12 file without its password. Where its certificates are not encrypted they are listed at
// once and Open asks for the password; otherwise [File.Unlock] has to be given the password first, as --pass-fd does.
//
// [Files] are many such files, each a token: those in folders, and those a person added, whose certificates are remembered so
// that listing needs no password.
//
// [OpenDemo] gives a token for trying the agent out: four keys (RSA, P-256, GOST R 34.10-2012 of both lengths) issued by
// a CA made for the purpose, whose key is thrown away. It counts wrong PINs like a token does and locks at the tenth.
//
// Passwords stay in locked memory while keys are derived. The private key itself is in ordinary memory between Open and
// Close: that is what a software key is, and why a token is better.
//
// # Reading PKCS#12
//
// The reader takes what OpenSSL 3 writes: PBES2 with PBKDF2 (HMAC with SHA-1 or SHA-2) and AES-CBC, integrity by
// password (PKCS#12 key derivation, SHA-1 or SHA-2). Older ciphers are refused by name. Anything malformed or beyond the
// limits is a *[FormatError]: 1 MiB of file, 1 KiB of salt, 2^20 iterations each and 2^22 in all. A wrong password is
// *token.PINError.
//
// # Concurrency
//
// The list of added files is guarded between processes. Inventories are safe for concurrent use; one lease guards each file and the demo token. The attempt counter is also
// guarded between processes.
//
// # Standards
//
// RFC 7292 (PKCS#12), RFC 8018 (PBES2, PBKDF2), RFC 5958 (key packages).
package keyfile
