// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"os"
	"path/filepath"
)

// signer is the publisher's certificate and key; nil leaves everything unsigned.
type signer struct{ cert, key, tsa string }

// signingKey reads from the environment what to sign with. One of certificate and key without the other is a mistake.
func signingKey() (*signer, error) {
	s := &signer{os.Getenv("SIGN_CERT"), os.Getenv("SIGN_KEY"), os.Getenv("SIGN_TSA")}
	if s.cert == "" && s.key == "" {
		return nil, nil
	}
	for _, file := range []string{s.cert, s.key} {
		if _, err := os.Stat(file); err != nil {
			return nil, errors.Join(errors.New("SIGN_CERT and SIGN_KEY must both name files"), err)
		}
	}
	return s, nil
}

// sign puts the publisher's signature into a program or package. The name is what Windows shows when it asks for consent.
func (s *signer) sign(file, name string) error {
	if s == nil {
		return nil
	}
	args := []string{"sign", "-certs", s.cert, "-key", s.key, "-h", "sha256", "-n", name}
	if s.tsa != "" {
		args = append(args, "-ts", s.tsa)
	}
	signed := file + ".signed"
	defer os.Remove(signed)
	if err := tool("", "osslsigncode", append(args, "-in", file, "-out", signed)...); err != nil {
		return errors.Join(errors.New("sign "+filepath.Base(file)), err)
	}
	return os.Rename(signed, file)
}
