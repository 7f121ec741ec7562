// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"log/slog"
	"unsafe"

	"golang.org/x/sys/windows"

	"persten/internal/cert"
)

// systemRoots are the roots in the user's and the machine's store, which Windows shows as one.
func systemRoots() (found []*cert.Certificate) {
	name, err := windows.UTF16PtrFromString("ROOT")
	if err != nil {
		return nil
	}
	store, err := windows.CertOpenSystemStore(0, name)
	if err != nil {
		slog.Warn("the system's roots", "cause", err)
		return nil
	}
	defer windows.CertCloseStore(store, 0)
	var at *windows.CertContext
	for {
		if at, err = windows.CertEnumCertificatesInStore(store, at); err != nil || at == nil {
			return found // the last call frees the context, and says that there are no more
		}
		c, err := cert.Parse(unsafe.Slice(at.EncodedCert, at.Length))
		if err != nil {
			slog.Warn("the system's roots", "cause", err)
			continue
		}
		found = append(found, c)
	}
}
