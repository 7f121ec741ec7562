// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io"

	"persten/internal/algo"
	"persten/internal/cert"
)

// span is where an element lies in the input, [from, to).
type span struct{ from, to int64 }

// element is a part of a message that is kept: where it was, and what keep made of it.
type element struct {
	span
	der []byte
}

// message is a SignedData with its content reduced to digests.
type message struct {
	version     int
	contentType asn1.ObjectIdentifier
	attached    bool
	sums        sums      // of attached content
	body        io.Writer // gets the attached content as well, when not nil
	certs       []*cert.Certificate
	unreadable  int // certificates that could not be parsed
	answers     []cert.Answer
	signers     []element

	// What Add and its like copy.
	versionAt, contentAt span
	digests, certAt      []element
	revocationAt         *span // the whole field; nil when absent
	held                 int   // bytes that were kept, as maxHeld counts them
}

// parse reads ContentInfo and SignedData (RFC 5652 sections 3 and 5.1), up to the end of the input.
func parse(r *reader) (*message, error) { return parseWith(r, &message{}) }

func parseWith(r *reader, m *message) (*message, error) {
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
	if err := m.signedData(r); err != nil {
		return nil, err
	}
	if err := r.close(explicit, "ContentInfo"); err != nil {
		return nil, err
	}
	if err := r.close(outer, "ContentInfo"); err != nil {
		return nil, err
	}
	switch _, err := r.r.Peek(1); {
	case err == nil:
		return nil, malformed("data after the signature")
	case !errors.Is(err, io.EOF):
		return nil, unreadable(err)
	}
	m.held = r.held
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
	if err := decode(der, &oid); err != nil {
		return nil, malformed("object identifier: %v", err)
	}
	return oid, nil
}

func (m *message) signedData(r *reader) error {
	s, err := r.enter(tagSequence, "SignedData")
	if err != nil {
		return err
	}
	m.versionAt.from = r.off
	if err := m.readVersion(r); err != nil {
		return err
	}
	m.versionAt.to = r.off
	if err := m.digestAlgorithms(r); err != nil {
		return err
	}
	m.contentAt.from = r.off
	if err := m.content(r); err != nil {
		return err
	}
	m.contentAt.to = r.off
	if err := m.certificates(r, s); err != nil {
		return err
	}
	if err := m.signerInfos(r); err != nil {
		return err
	}
	return r.close(s, "SignedData")
}

// readVersion takes any version a SignedData can have. Which of them is right follows from the other fields (RFC 5652
// section 5.1), and programs get it wrong.
func (m *message) readVersion(r *reader) error {
	h, err := r.expect(asn1.TagInteger, "version")
	if err != nil {
		return err
	}
	der, err := r.keep(h, 0)
	if err != nil {
		return err
	}
	if err := decode(der, &m.version); err != nil || m.version < 1 || m.version > 5 || m.version == 2 {
		return malformed("SignedData version %x", der[2:])
	}
	return nil
}

// digestAlgorithms starts a hash for each algorithm announced for the content.
func (m *message) digestAlgorithms(r *reader) error {
	h, err := r.expect(tagSet, "digestAlgorithms")
	if err != nil {
		return err
	}
	return r.each(h, func(child header) error {
		one, err := r.element(child)
		if err != nil {
			return err
		}
		if m.digests = append(m.digests, one); len(m.digests) > maxDigests {
			return tooMany("digest algorithms", maxDigests)
		}
		var id pkix.AlgorithmIdentifier
		if err := decode(one.der, &id); err != nil {
			return malformed("digest algorithm: %v", err)
		}
		if d, ok := digestOf(id); ok {
			m.sums.add(d)
		}
		return nil
	})
}

// element keeps the element whose header was just read, and where it was.
func (r *reader) element(h header) (element, error) {
	from := r.off - int64(len(h.raw))
	der, err := r.keep(h, 0)
	return element{span{from, r.off}, der}, err
}

// digestOf finds the hash function of an AlgorithmIdentifier with absent or NULL parameters; nothing else is used with any.
func digestOf(id pkix.AlgorithmIdentifier) (algo.Digest, bool) {
	d, ok := algo.DigestByOID(id.Algorithm)
	return d, ok && bare(id)
}

func bare(id pkix.AlgorithmIdentifier) bool {
	p := id.Parameters.FullBytes
	return len(p) == 0 || string(p) == string(asn1.NullBytes)
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
	if err := m.contentOctets(r, h); err != nil {
		return err
	}
	if err := r.close(explicit, "content"); err != nil {
		return err
	}
	return r.close(s, "EncapsulatedContentInfo")
}

// contentOctets hashes the octets of the content. In PKCS#7 1.5 content of a type of its own need not be an OCTET STRING.
func (m *message) contentOctets(r *reader, h header) error {
	w := io.Writer(&m.sums)
	if m.body != nil {
		w = io.MultiWriter(w, m.body)
	}
	if m.version != 1 || h.tag != tagSequence && h.tag != tagSet || m.contentType.Equal(oidData) {
		return r.copyOctets(h, w, 0)
	}
	if h.length >= 0 {
		return r.copyBody(h, w)
	}
	der, err := r.keep(h, 0)
	if err != nil {
		return err
	}
	_, _, body, _, err := split(der)
	if err == nil {
		_, err = w.Write(body)
	}
	return err
}

// certificates reads the certificates and the revocation values, both optional.
func (m *message) certificates(r *reader, s scope) error {
	for _, tag := range []byte{tagContext0, tagContext1} {
		if next, err := r.peek(s); err != nil || next != tag {
			if err != nil {
				return err
			}
			continue
		}
		from := r.off
		h, err := r.next()
		if err != nil {
			return err
		}
		read := m.certificate
		if tag == tagContext1 {
			read = m.revocation
		}
		if err := r.each(h, func(child header) error { return read(r, child) }); err != nil {
			return err
		}
		if tag == tagContext1 {
			m.revocationAt = &span{from, r.off}
		}
	}
	return nil
}

func (m *message) certificate(r *reader, h header) error {
	if len(m.certAt) >= maxCertificates {
		return tooMany("certificates", maxCertificates)
	}
	one, err := r.element(h)
	if err != nil {
		return err
	}
	m.certAt = append(m.certAt, one)
	c, err := cert.Parse(one.der)
	if err != nil {
		m.unreadable++
		return nil
	}
	m.certs = append(m.certs, c)
	return nil
}

// oidOCSPResponse marks an OCSPResponse among the revocation values (RFC 5940 section 2.1).
var oidOCSPResponse = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 16, 2}

// revocation keeps one RevocationInfoChoice (RFC 5652 section 10.2.1). A list too large to be kept is passed over, as are kinds
// not known here.
func (m *message) revocation(r *reader, h header) error {
	if len(m.answers) >= maxValues {
		return tooMany("revocation values", maxValues)
	}
	if h.length > int64(maxHeld/2-r.held) {
		return r.skip(h, 0)
	}
	one, err := r.element(h)
	if err != nil {
		return err
	}
	switch h.tag {
	case tagSequence:
		m.answers = append(m.answers, embedded(one.der, false))
	case tagContext1:
		var other struct {
			Format asn1.ObjectIdentifier
			Info   asn1.RawValue
		}
		one.der[0] = tagSequence
		if err := decode(one.der, &other); err == nil && other.Format.Equal(oidOCSPResponse) {
			m.answers = append(m.answers, embedded(other.Info.FullBytes, true))
		}
	}
	return nil
}

func embedded(der []byte, ocsp bool) cert.Answer {
	return cert.Answer{OCSP: ocsp, DER: der, From: "signature"}
}

func (m *message) signerInfos(r *reader) error {
	h, err := r.expect(tagSet, "signerInfos")
	if err != nil {
		return err
	}
	return r.each(h, func(child header) error {
		if len(m.signers) >= maxSigners {
			return tooMany("signers", maxSigners)
		}
		one, err := r.element(child)
		m.signers = append(m.signers, one)
		return err
	})
}

// copyBody streams the bytes of an element of known length into w.
func (r *reader) copyBody(h header, w io.Writer) error {
	n, err := io.CopyN(w, r.r, h.length)
	r.off += n
	if err != nil {
		return unreadable(err)
	}
	return nil
}
