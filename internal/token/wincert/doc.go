// SPDX-License-Identifier: GPL-3.0-or-later

// Package wincert is the token implementation over the certificate store of Windows: the certificates of the current user's
// store MY whose private keys a provider of the system holds, be it CNG or CryptoAPI.
//
// # Contract
//
// The whole store is one token. Its certificates are listed by the properties Windows keeps of them; no provider is loaded and
// no reader is asked for that. A certificate may therefore be listed while its card is not plugged in.
//
// Each [token.Key.Open] starts a process of its own, which runs [Serve], loads the provider and ends with the session: vendor
// code never runs in the daemon, and what a provider remembers of a login ends with the process. It is killed when a call is
// cancelled or takes too long, with the window that the provider may have opened.
//
// # PIN
//
// Keys on cards that Windows itself drives ask for the PIN through the PINFunc. It goes to the process as a descriptor, is read
// there into locked memory, given to the provider once, and wiped; the provider is then not to ask by itself. A wrong one may be
// noticed at the first signature only, and is a *token.PINError there. How many attempts are left is not known. All other
// providers ask for what they need in windows of their own, always after the person has approved; under token.Remembering,
// where nobody sits at the screen, they must not.
//
// # Signatures
//
// CNG takes the digest and returns the standard's bytes, ECDSA as r and s. CryptoAPI returns them from the other end, also those
// of the GOST providers. Each signature is checked with the certificate's key before anybody gets it. RSASSA-PSS and ECDSA need
// CNG; GOST R 34.10-2012 needs CryptoAPI.
//
// # Concurrency
//
// Inventory is safe for concurrent use; one lease guards the store.
//
// # Platforms
//
// What talks to Windows is built there alone. What judges and converts is built everywhere.
package wincert
