// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"context"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"persten/internal/algo"
)

// Add signs the content of the existing signature in r once more and writes the file with both to w, in DER around what is copied. r is
// read twice, from where it stands to its end, in any form Verify reads. Of a detached signature the content is needed, or
// o.Digest; an attached one is hashed as it is, and content may be nil. o.Attached has no meaning here.
//
// What is in the file is not judged: signatures that do not hold are copied with the others. The bytes of the content, of
// certificates, revocation values and signers stay as they are.
//
// Nothing is written before the signature has been made. Errors are those of Sign and of Verify.
func Add(ctx context.Context, w io.Writer, r io.ReadSeeker, content io.Reader, s Signer, o Options) error {
	m, err := newMaker(s, o)
	if err != nil {
		return err
	}
	e, err := open(ctx, r, m.alg.Digest)
	if err != nil {
		return err
	}
	sum, err := e.contentDigest(ctx, m, content)
	if err != nil {
		return err
	}
	if err := e.join(m); err != nil {
		return err
	}
	if len(e.signers) == maxSigners {
		return tooMany("signers", maxSigners)
	}
	info, err := m.sign(ctx, sum)
	if err != nil {
		return err
	}
	if err := e.grow(len(info)); err != nil {
		return err
	}
	if e.message.attached {
		e.same, e.sum = m.alg.Digest.New(), sum
	}
	e.signers = insert(e.signers, info)
	return e.write(ctx, w)
}

// Countersign signs the signature value of one signer of the file in r and writes the file with the countersignature among that
// signer's unsigned attributes (RFC 5652 section 11.4). signer counts as in Report.Signers; ErrNoSigner when there is none.
// o.Digest, when set, is the digest of that value. Otherwise it is as with Add.
func Countersign(ctx context.Context, w io.Writer, r io.ReadSeeker, signer int, s Signer, o Options) error {
	m, err := newMaker(s, o)
	if err != nil {
		return err
	}
	m.counter = true
	e, err := open(ctx, r, "")
	if err != nil {
		return err
	}
	if signer < 0 || signer >= len(e.signers) {
		return ErrNoSigner
	}
	si, err := parseSigner(e.signers[signer].der)
	if err != nil {
		return err
	}
	sum := m.alg.Digest.Sum(si.signature)
	if err := m.approved(sum); err != nil {
		return err
	}
	if err := e.join(m); err != nil {
		return err
	}
	if err := e.room(signer); err != nil {
		return err
	}
	info, err := m.sign(ctx, sum)
	if err != nil {
		return err
	}
	attr, err := newAttribute(oidCountersignature, asn1.RawValue{FullBytes: info})
	if err != nil {
		return fmt.Errorf("encode signature: %w", err)
	}
	if err := e.replace(signer, attr); err != nil {
		return err
	}
	return e.write(ctx, w)
}

// Extend gives every signer of the file in r that has none a time-stamp over its signature value and writes the result to w:
// BES becomes T. With signers, which count as in Report.Signers, it looks at those alone; ErrNoSigner when there is no such one.
// ErrStamped when there is nothing to do. Otherwise it is as with Add; the signatures are not judged.
func Extend(ctx context.Context, w io.Writer, r io.ReadSeeker, st Stamper, signers ...int) error {
	e, err := open(ctx, r, "")
	if err != nil {
		return err
	}
	if slices.ContainsFunc(signers, func(n int) bool { return n < 0 || n >= len(e.signers) }) {
		return ErrNoSigner
	}
	done := 0
	for i, one := range e.signers {
		si, err := parseSigner(one.der)
		if err != nil {
			return err
		}
		if si.stamped() || len(signers) > 0 && !slices.Contains(signers, i) {
			continue
		}
		if err := e.room(i); err != nil {
			return err
		}
		attr, err := stampOver(ctx, st, si.stampDigest(), si.signature)
		if err != nil {
			return err
		}
		if err := e.replace(i, attr); err != nil {
			return err
		}
		done++
	}
	if done == 0 {
		return ErrStamped
	}
	return e.write(ctx, w)
}

func (si signerInfo) stamped() bool {
	if si.unsigned == nil {
		return false
	}
	attrs, err := parseAttributes(si.unsigned)
	return err == nil && slices.ContainsFunc(attrs.list, func(a attribute) bool { return a.Type.Equal(oidTimeStamp) })
}

// stampDigest is the signer's own digest, or a present one of its kind when that is a thing of the past.
func (si signerInfo) stampDigest() algo.Digest {
	switch d, ok := digestOf(si.digest); {
	case !ok || d == algo.SHA1:
		return algo.SHA256
	case d == algo.GOST94:
		return algo.Streebog256
	default:
		return d
	}
}

// editor is an existing signature about to be written with changes.
type editor struct {
	message *message
	from    io.ReadSeeker
	start   int64
	stream  *source // the second reading

	digests, certs, signers []element // a changed or new one has no place in the input: its span is empty
	held                    int       // what Verify will hold of the result, as its reader counts

	same hash.Hash // of the attached content, to be compared with sum; nil: nobody relies on it
	sum  []byte
}

// open reads the file once; an attached content is also hashed with d, when not empty.
func open(ctx context.Context, r io.ReadSeeker, d algo.Digest) (*editor, error) {
	start, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, fmt.Errorf("read signature: %w", err)
	}
	bits, err := unarmor(&reading{ctx, r})
	if err != nil {
		return nil, err
	}
	m := &message{}
	if d != "" {
		m.sums.add(d)
	}
	if m, err = parseWith(newReader(bits), m); err != nil {
		return nil, err
	}
	return &editor{message: m, from: r, start: start, digests: m.digests, certs: m.certAt, signers: m.signers, held: m.held}, nil
}

// contentDigest is the digest of what the new signer signs.
func (e *editor) contentDigest(ctx context.Context, m *maker, content io.Reader) ([]byte, error) {
	if !e.message.contentType.Equal(oidData) {
		return nil, fmt.Errorf("%w: content of type %v", ErrProfile, e.message.contentType)
	}
	var own []byte
	if e.message.attached {
		own = e.message.sums.values()[m.alg.Digest]
		if err := m.approved(own); err != nil || content == nil {
			return own, err
		}
	}
	if content == nil && len(m.o.Digest) != m.alg.Digest.Size() {
		return nil, ErrNoContent
	}
	sum, _, err := m.digest(ctx, content)
	if err == nil && own != nil && !bytes.Equal(own, sum) {
		err = ErrContentChanged
	}
	return sum, err
}

// room tells, before a key or an authority is used, whether one more unsigned attribute can be put into a signer.
func (e *editor) room(i int) error {
	if _, err := withUnsigned(e.signers[i].der, nil); err != nil {
		return err
	}
	return e.spare(maxMade)
}

// maxMade is room for what is made here in one go: a SignerInfo with its time-stamp. Real ones need a tenth of it.
const maxMade = 128 << 10

// grow counts an element, or what one grew by.
func (e *editor) grow(n int) error {
	e.held += n + perElement
	return e.spare(0)
}

// spare tells whether Verify will read the result with n bytes more.
func (e *editor) spare(n int) error {
	if e.held > maxHeld-n {
		return tooMuch()
	}
	return nil
}

// replace puts a new unsigned attribute into a signer.
func (e *editor) replace(i int, attr []byte) error {
	der, err := withUnsigned(e.signers[i].der, attr)
	if err != nil {
		return err
	}
	e.signers = slices.Clone(e.signers)
	e.signers[i] = element{der: der}
	return e.grow(len(attr))
}

// withUnsigned adds an unsigned attribute to a SignerInfo. Every other byte of what is in it stays.
func withUnsigned(signer, attr []byte) ([]byte, error) {
	_, _, body, _, err := split(signer)
	if err != nil {
		return nil, err
	}
	parts, err := children(body, 7)
	if err != nil {
		return nil, err
	}
	attrs := [][]byte{attr}
	if last := parts[len(parts)-1]; last[0] == tagContext1 {
		_, _, body, _, err := split(last)
		if err != nil {
			return nil, err
		}
		old, err := children(body, maxAttributes-1)
		if err != nil {
			return nil, err
		}
		attrs, parts = append(old, attr), parts[:len(parts)-1]
	}
	body = slices.Concat(bytes.Join(parts, nil), implicit(tagContext1, set(attrs)))
	return append(head(tagSequence, int64(len(body))), body...), nil
}

// join adds the new signer's digest algorithm and certificates where they are not there yet. It comes before the key is used:
// a file that would be beyond what Verify reads is not made.
func (e *editor) join(m *maker) error {
	digest, err := asn1.Marshal(m.digestID())
	if err != nil {
		return fmt.Errorf("encode signature: %w", err)
	}
	if !m.counter && !slices.ContainsFunc(e.digests, func(one element) bool { return digestIs(one.der, m.alg.Digest) }) {
		e.digests = insert(e.digests, digest)
		e.held += len(digest) + perElement
	}
	for _, c := range m.certificates() {
		if !slices.ContainsFunc(e.certs, func(one element) bool { return bytes.Equal(one.der, c) }) {
			e.certs = insert(e.certs, c)
			e.held += len(c) + perElement
		}
	}
	if len(e.certs) > maxCertificates || len(e.digests) > maxDigests {
		return fmt.Errorf("%w: too many certificates or digest algorithms", ErrLimit)
	}
	return e.spare(maxMade)
}

// digestIs reports whether an AlgorithmIdentifier announces d in a form that Verify knows.
func digestIs(der []byte, d algo.Digest) bool {
	var id pkix.AlgorithmIdentifier
	if err := decode(der, &id); err != nil {
		return false
	}
	known, ok := digestOf(id)
	return ok && known == d
}

// insert puts a new element where DER wants it in a sorted set, and at the end of any other. Old elements keep their order.
func insert(list []element, der []byte) []element {
	at := len(list)
	compare := func(a, b element) int { return bytes.Compare(a.der, b.der) }
	if slices.IsSortedFunc(list, compare) {
		at, _ = slices.BinarySearchFunc(list, element{der: der}, compare)
	}
	return slices.Insert(slices.Clone(list), at, element{der: der})
}

// write writes the file anew, reading the old one a second time.
func (e *editor) write(ctx context.Context, w io.Writer) error {
	if _, err := e.from.Seek(e.start, io.SeekStart); err != nil {
		return fmt.Errorf("read signature: %w", err)
	}
	bits, err := unarmor(&reading{ctx, e.from})
	if err != nil {
		return err
	}
	e.stream = &source{r: bits}
	m := e.message
	d := signedData{
		version: e.keep(m.versionAt), digests: e.all(e.digests), certificates: e.all(e.certs), signers: e.all(e.signers),
		content: later(m.contentAt.to-m.contentAt.from, e.copyContent),
	}
	if m.revocationAt != nil {
		d.revocation = e.keep(*m.revocationAt)
	}
	return d.layout().writeTo(w)
}

func (e *editor) keep(s span) pieces {
	return later(s.to-s.from, func(w io.Writer) error { return e.stream.copy(w, s) })
}

func (e *editor) all(list []element) (p pieces) {
	for _, one := range list {
		if one.to > 0 {
			p = append(p, e.keep(one.span)...)
		} else {
			p = append(p, have(one.der)...)
		}
	}
	return p
}

// copyContent copies EncapsulatedContentInfo and, when somebody signed it just now, checks that it is still the same.
func (e *editor) copyContent(w io.Writer) error {
	s := e.message.contentAt
	if e.same == nil {
		return e.stream.copy(w, s)
	}
	pr, pw := io.Pipe()
	again := &message{version: e.message.version, body: e.same}
	done := make(chan error, 1)
	go func() {
		err := again.content(newReader(pr))
		pr.CloseWithError(err)
		done <- err
	}()
	err := e.stream.copy(io.MultiWriter(w, pw), s)
	pw.CloseWithError(err)
	if parsed := <-done; err == nil && (parsed != nil || !bytes.Equal(e.same.Sum(nil), e.sum)) {
		err = ErrContentChanged
	}
	if errors.Is(err, ErrFormat) || errors.Is(err, io.ErrClosedPipe) {
		err = ErrContentChanged
	}
	return err
}

// source is the file read a second time, forward.
type source struct {
	r   io.Reader
	off int64
}

// copy passes over what is not wanted and copies the bytes of s to w.
func (r *source) copy(w io.Writer, s span) error {
	n, err := io.CopyN(io.Discard, r.r, s.from-r.off)
	r.off += n
	if err != nil {
		return shorter(err)
	}
	n, err = io.CopyN(w, r.r, s.to-s.from)
	r.off += n
	return shorter(err)
}

// shorter names what a file that was whole a moment ago means.
func shorter(err error) error {
	if errors.Is(err, io.EOF) {
		return ErrContentChanged
	}
	if err != nil {
		return fmt.Errorf("write signature: %w", err)
	}
	return nil
}
