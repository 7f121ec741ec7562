// SPDX-License-Identifier: GPL-3.0-or-later

package wincert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"persten/internal/algo"
	"persten/internal/rpc"
)

// Methods between the daemon and the process of a session. The PIN is not among the fields: it travels as a descriptor.
const (
	methodOpen = "open"
	methodSign = "sign"
)

// codeStatus is the code of an rpc error whose Data is a failure.
const codeStatus = 1

// Limits of what the store and a provider may claim.
const (
	maxCertificate  = 64 << 10
	maxCertificates = 4096
	maxName         = 256 // characters of a provider's name
	maxProperty     = 64 << 10
	maxSignature    = 4 << 10
)

type openParams struct {
	ID     string `json:"id"`     // the certificate's
	PIN    bool   `json:"pin"`    // one comes along
	Silent bool   `json:"silent"` // the provider must not ask anybody
}

type signParams struct {
	Algorithm algo.ID `json:"algorithm"`
	Digest    []byte  `json:"digest"`
}

type signReply struct {
	Signature []byte `json:"signature"`
	Turned    bool   `json:"turned"` // CryptoAPI made it: the last byte comes first
}

// failure is what a function of Windows, or the process itself, said.
type failure struct {
	Function string `json:"function"`
	Status   uint32 `json:"status"`
}

func (f *failure) Error() string { return f.Function + ": " + f.name() }

var errReply = errors.New("reply beyond limits")

// decode reads a reply of the process, which is as untrusted as the provider in it.
func (r *signReply) decode(raw json.RawMessage) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(r); err != nil {
		return fmt.Errorf("provider's reply: %w", err)
	}
	if n := len(r.Signature); n == 0 || n > maxSignature {
		return fmt.Errorf("signature of %d bytes: %w", n, errReply)
	}
	return nil
}

// wireError spells an error the way the daemon reads it.
func wireError(err error) error {
	var f *failure
	if !errors.As(err, &f) {
		return err
	}
	data, _ := json.Marshal(f)
	return &rpc.Error{Code: codeStatus, Message: f.Error(), Data: data}
}
