// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"fmt"
	"io"
)

// piece is a run of the output: bytes at hand, or size bytes that copy writes when their turn comes.
type piece struct {
	bytes []byte
	size  int64
	copy  func(io.Writer) error
}

// pieces are an output whose length is known before it is written, so that DER can be streamed.
type pieces []piece

func have(parts ...[]byte) pieces {
	var p pieces
	for _, b := range parts {
		p = append(p, piece{bytes: b, size: int64(len(b))})
	}
	return p
}

func later(size int64, copy func(io.Writer) error) pieces {
	return pieces{{size: size, copy: copy}}
}

func (p pieces) size() (n int64) {
	for _, one := range p {
		n += one.size
	}
	return n
}

// wrap puts everything under one tag.
func wrap(tag byte, inner ...pieces) pieces {
	var body pieces
	for _, p := range inner {
		body = append(body, p...)
	}
	return append(have(head(tag, body.size())), body...)
}

func (p pieces) writeTo(w io.Writer) error {
	for _, one := range p {
		if one.copy != nil {
			if err := one.copy(w); err != nil {
				return err
			}
		} else if _, err := w.Write(one.bytes); err != nil {
			return fmt.Errorf("write signature: %w", err)
		}
	}
	return nil
}

// signedData is the fields of a SignedData in their order (RFC 5652 section 5.1). Sets come with their elements alone;
// revocation is the whole field or nothing.
type signedData struct {
	version, digests, content, certificates, revocation, signers pieces
}

// layout wraps a SignedData into ContentInfo.
func (d signedData) layout() pieces {
	if len(d.certificates) > 0 {
		d.certificates = wrap(tagContext0, d.certificates)
	}
	return wrap(tagSequence, have(derSignedData), wrap(tagContext0, wrap(tagSequence,
		d.version, wrap(tagSet, d.digests), d.content, d.certificates, d.revocation, wrap(tagSet, d.signers))))
}
