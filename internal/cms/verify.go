// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"context"
	"fmt"
	"hash"
	"io"

	"persten/internal/algo"
	"persten/internal/cert"
)

// Verify reads a CMS signature from r to its end and checks every signer in it. A detached signature needs content; when
// an attached one is given content as well, both must be the same. Certificates that the signature leaves out are looked for
// in trust. trust builds the certificates' paths, together with the certificates inside the signature; it takes no part in
// SignerReport.Valid.
//
// The error is nil when the signature could be read, whatever the signers are worth; it wraps ErrFormat, ErrLimit or
// ErrNoContent, or comes from reading or from ctx.
func Verify(ctx context.Context, r io.Reader, content io.Reader, trust cert.Trust) (*Report, error) {
	if content != nil {
		content = &reading{ctx, content}
	}
	return examine(ctx, r, trust, func(v *verifier) error { return v.hash(content) })
}

// VerifyDigest is Verify for who knows the content's digest by one algorithm alone. A signer of a detached signature who used
// another one has the problem ErrOtherDigest, unless a graver one is found.
func VerifyDigest(ctx context.Context, r io.Reader, d algo.Digest, sum []byte, trust cert.Trust) (*Report, error) {
	return examine(ctx, r, trust, func(v *verifier) error {
		v.given(d, sum)
		return nil
	})
}

// examine is Verify once the digests of the content are known.
func examine(ctx context.Context, r io.Reader, trust cert.Trust, digests func(*verifier) error) (*Report, error) {
	bits, err := unarmor(&reading{ctx, r})
	if err != nil {
		return nil, err
	}
	m, err := parse(newReader(bits))
	if err != nil {
		return nil, err
	}
	v := &verifier{message: m, checked: new(int)}
	if err := digests(v); err != nil {
		return nil, err
	}
	trust.Intermediates = append(m.certs[:len(m.certs):len(m.certs)], trust.Intermediates...)
	v.pools = [][]*cert.Certificate{trust.Intermediates, trust.Roots}
	trust = trust.Bounded(maxChecks)
	report := &Report{
		Attached: m.attached, Content: Content{Size: v.size, Digest: v.sums}, Version: m.version,
		ContentType: m.contentType.String(), Certificates: m.certs, Unreadable: m.unreadable, Embedded: m.answers,
	}
	for _, raw := range m.signers {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s := v.signer(raw.der)
		s.CheckTrust(trust)
		report.Signers = append(report.Signers, s)
	}
	return report, nil
}

// sums hashes one content with several algorithms at once.
type sums struct {
	names  []algo.Digest
	hashes []hash.Hash
	size   int64
}

func (s *sums) add(d algo.Digest) {
	for _, n := range s.names {
		if n == d {
			return
		}
	}
	s.names, s.hashes = append(s.names, d), append(s.hashes, d.New())
}

func (s *sums) Write(p []byte) (int, error) {
	for _, h := range s.hashes {
		h.Write(p)
	}
	s.size += int64(len(p))
	return len(p), nil
}

func (s *sums) values() map[algo.Digest][]byte {
	m := map[algo.Digest][]byte{}
	for i, n := range s.names {
		m[n] = s.hashes[i].Sum(nil)
	}
	return m
}

// verifier checks the signers of one message.
type verifier struct {
	message *message
	pools   [][]*cert.Certificate // where signers' certificates may be found
	sums    map[algo.Digest][]byte
	size    int64
	differs bool   // content was given beside the attached one, and is another
	checked *int   // signatures so far that stand beside others; shared with what is checked inside
	level   int    // of countersignatures
	over    []byte // with level: the signature value that is countersigned
}

// hash makes the digests the signers are compared with.
func (v *verifier) hash(content io.Reader) error {
	m := v.message
	if m.attached {
		v.sums, v.size = m.sums.values(), m.sums.size
	}
	if content == nil {
		if !m.attached {
			return ErrNoContent
		}
		return nil
	}
	var given sums
	for _, d := range m.sums.names {
		given.add(d)
	}
	if _, err := io.Copy(&given, content); err != nil {
		return fmt.Errorf("read content: %w", err)
	}
	if !m.attached {
		v.sums, v.size = given.values(), given.size
		return nil
	}
	v.differs = given.size != v.size
	for d, sum := range given.values() {
		v.differs = v.differs || !bytes.Equal(sum, v.sums[d])
	}
	return nil
}

// given takes the one digest that is known of the content. An attached content that nobody digested so is as good as unknown:
// whether it is the one that is meant cannot be told.
func (v *verifier) given(d algo.Digest, sum []byte) {
	if m := v.message; m.attached {
		if own, ok := m.sums.values()[d]; ok {
			v.sums, v.size, v.differs = m.sums.values(), m.sums.size, !bytes.Equal(own, sum)
			return
		}
	}
	v.sums = map[algo.Digest][]byte{d: sum}
}
