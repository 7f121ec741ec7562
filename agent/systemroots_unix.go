// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !windows

package main

import (
	"log/slog"

	"persten/internal/cert"
)

// systemBundles are where distributions keep the roots they trust, the first that is there counts: Debian, Fedora, SUSE, Alpine.
// crypto/x509 reads the same files and does not give the certificates out.
var systemBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
}

// systemRoots are the roots the operating system trusts.
func systemRoots() []*cert.Certificate {
	for _, file := range systemBundles {
		if !isThere(file) {
			continue
		}
		found, err := cert.ReadFiles(file)
		if err != nil {
			slog.Warn("the system's roots", "path", file, "cause", err)
		}
		return found
	}
	return nil
}
