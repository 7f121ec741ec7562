// SPDX-License-Identifier: GPL-3.0-or-later

// Command mktoken makes a SoftHSM2 token for tests and scripts: an RSA-2048 and a P-256 key with certificates, and ca.pem,
// the certificate of their CA.
//
//	go run ./testdata/p11/mktoken DIR
//
// It prints what a script needs as JSON: conf (for SOFTHSM2_CONF), module, pin, label, ca, ids, keys.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"persten/internal/token/tokentest"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: mktoken DIR")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "mktoken:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	s, err := tokentest.MakeSoftHSM(dir)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(s)
}
