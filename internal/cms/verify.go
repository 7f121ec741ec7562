// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
	"io"

	"persten/internal/algo"
	"persten/internal/cert"
)

// Verify reads a CMS signature from r to its end and checks every signer in it. A detached signature needs content; when
// an attached one is given content as well, both must be the same. trust builds the certificates' paths, together with the
// certificates inside the signature; it takes no part in SignerReport.Valid.
//
// The error is nil when the signature could be read, whatever the signers are worth; it wraps ErrFormat, ErrLimit or
// ErrNoContent, or comes from reading.
func Verify(r io.Reader, content io.Reader, trust cert.Trust) (*Report, error) {
	m, err := parse(newReader(r))
	if err != nil {
		return nil, err
	}
	v := &verifier{message: m, trust: trust}
	if err := v.hash(content); err != nil {
		return nil, err
	}
	v.trust.Intermediates = append(m.certs[:len(m.certs):len(m.certs)], trust.Intermediates...)
	v.trust = v.trust.Bounded(maxChecks)
	report := &Report{Attached: m.attached, Content: Content{Size: v.sums.size, Digest: v.sums.values()}}
	for _, raw := range m.signers {
		report.Signers = append(report.Signers, v.signer(raw))
	}
	return report, nil
}

// message is a SignedData with its content reduced to digests.
type message struct {
	contentType asn1.ObjectIdentifier
	attached    bool
	sums        sums // of attached content
	certs       []*cert.Certificate
	unreadable  int // certificates that could not be parsed
	signers     [][]byte
}

// parse reads ContentInfo and SignedData (RFC 5652 sections 3 and 5.1).
func parse(r *reader) (*message, error) {
	outer, err := r.enter(tagSequence, "ContentInfo")
	if err != nil {
		return nil, err
	}
	oid, err := r.oid()
	if err != nil {
		return nil, err
	}
	if !oid.Equal(oidSignedData) {
		return nil, malformed("content type %v is not signed data", oid)
	}
	explicit, err := r.enter(tagContext0, "SignedData")
	if err != nil {
		return nil, err
	}
	m := &message{}
	if err := m.signedData(r); err != nil {
		return nil, err
	}
	if err := r.close(explicit, "ContentInfo"); err != nil {
		return nil, err
	}
	if err := r.close(outer, "ContentInfo"); err != nil {
		return nil, err
	}
	if _, err := r.r.Peek(1); !errors.Is(err, io.EOF) {
		return nil, malformed("data after the signature")
	}
	return m, nil
}

func (r *reader) oid() (asn1.ObjectIdentifier, error) {
	h, err := r.expect(asn1.TagOID, "object identifier")
	if err != nil {
		return nil, err
	}
	der, err := r.keep(h, 0)
	if err != nil {
		return nil, err
	}
	var oid asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(der, &oid); err != nil {
		return nil, malformed("object identifier: %v", err)
	}
	return oid, nil
}

func (m *message) signedData(r *reader) error {
	s, err := r.enter(tagSequence, "SignedData")
	if err != nil {
		return err
	}
	if err := r.version(); err != nil {
		return err
	}
	if err := m.digestAlgorithms(r); err != nil {
		return err
	}
	if err := m.content(r); err != nil {
		return err
	}
	if err := m.certificates(r, s); err != nil {
		return err
	}
	if err := m.signerInfos(r); err != nil {
		return err
	}
	return r.close(s, "SignedData")
}

// version takes any version a SignedData can have. Which of them is right follows from the other fields (RFC 5652 section 5.1),
// and programs get it wrong.
func (r *reader) version() error {
	h, err := r.expect(asn1.TagInteger, "version")
	if err != nil {
		return err
	}
	der, err := r.keep(h, 0)
	if err == nil && (len(der) != 3 || !bytes.Contains([]byte{1, 3, 4, 5}, der[2:])) {
		err = malformed("SignedData version %x", der[2:])
	}
	return err
}

// digestAlgorithms starts a hash for each algorithm announced for the content.
func (m *message) digestAlgorithms(r *reader) error {
	h, err := r.expect(tagSet, "digestAlgorithms")
	if err != nil {
		return err
	}
	n := 0
	return r.each(h, func(child header) error {
		if n++; n > maxDigests {
			return fmt.Errorf("%w: more than %d digest algorithms", ErrLimit, maxDigests)
		}
		der, err := r.keep(child, 0)
		if err != nil {
			return err
		}
		var id struct {
			OID        asn1.ObjectIdentifier
			Parameters asn1.RawValue `asn1:"optional"`
		}
		if _, err := asn1.Unmarshal(der, &id); err != nil {
			return malformed("digest algorithm: %v", err)
		}
		if d, ok := algo.DigestByOID(id.OID); ok {
			m.sums.add(d)
		}
		return nil
	})
}

// content reads EncapsulatedContentInfo and hashes what is in it.
func (m *message) content(r *reader) error {
	s, err := r.enter(tagSequence, "EncapsulatedContentInfo")
	if err != nil {
		return err
	}
	if m.contentType, err = r.oid(); err != nil {
		return err
	}
	more, err := r.more(&s)
	if err != nil || !more {
		return err
	}
	explicit, err := r.enter(tagContext0, "content")
	if err != nil {
		return err
	}
	h, err := r.next()
	if err != nil {
		return err
	}
	m.attached = true
	if err := r.copyOctets(h, &m.sums, 0); err != nil {
		return err
	}
	if err := r.close(explicit, "content"); err != nil {
		return err
	}
	return r.close(s, "EncapsulatedContentInfo")
}

// certificates reads the certificates and passes over the revocation lists, both optional.
func (m *message) certificates(r *reader, s scope) error {
	for {
		tag, err := r.peek(s)
		if err != nil || tag != tagContext0 && tag != tagContext0+1 {
			return err
		}
		h, err := r.next()
		if err != nil {
			return err
		}
		if h.tag == tagContext0+1 {
			err = r.skip(h, 0)
		} else {
			err = r.each(h, func(child header) error { return m.certificate(r, child) })
		}
		if err != nil {
			return err
		}
	}
}

func (m *message) certificate(r *reader, h header) error {
	if len(m.certs)+m.unreadable >= maxCertificates {
		return fmt.Errorf("%w: more than %d certificates", ErrLimit, maxCertificates)
	}
	der, err := r.keep(h, 0)
	if err != nil {
		return err
	}
	c, err := cert.Parse(der)
	if err != nil {
		m.unreadable++
		return nil
	}
	m.certs = append(m.certs, c)
	return nil
}

func (m *message) signerInfos(r *reader) error {
	h, err := r.expect(tagSet, "signerInfos")
	if err != nil {
		return err
	}
	return r.each(h, func(child header) error {
		if len(m.signers) >= maxSigners {
			return fmt.Errorf("%w: more than %d signers", ErrLimit, maxSigners)
		}
		der, err := r.keep(child, 0)
		m.signers = append(m.signers, der)
		return err
	})
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
	trust   cert.Trust
	sums    sums
	differs bool // content was given beside the attached one, and is another
}

// hash makes the digests the signers are compared with.
func (v *verifier) hash(content io.Reader) error {
	m := v.message
	if m.attached {
		v.sums = m.sums
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
		v.sums = given
		return nil
	}
	mine := v.sums.values()
	v.differs = given.size != v.sums.size
	for d, sum := range given.values() {
		v.differs = v.differs || !bytes.Equal(sum, mine[d])
	}
	return nil
}
