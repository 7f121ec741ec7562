// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"context"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
)

// Sign reads content to its end, lets s sign it once, and writes a DER SignedData to w. Attached content is read a second
// time while it is written, so content must then be an io.ReadSeeker; it is signed from its current position.
//
// Without content (nil) what is signed is o.Digest, and nothing is attached.
//
// Nothing is written before the signature has been made and checked, and the time-stamp got. An error during writing,
// ErrContentChanged among them, leaves an incomplete w that the caller throws away. Errors of s and of o.Stamper come
// through unchanged; what Options ask for and cannot be made is ErrProfile.
func Sign(ctx context.Context, w io.Writer, content io.Reader, s Signer, o Options) error {
	m, err := newMaker(s, o)
	if err != nil {
		return err
	}
	if content == nil && (o.Attached || len(o.Digest) != m.alg.Digest.Size()) {
		return errNoContent
	}
	again, err := m.rewinder(content)
	if err != nil {
		return err
	}
	sum, size, err := m.digest(ctx, content)
	if err != nil {
		return err
	}
	info, err := m.sign(ctx, sum)
	if err != nil {
		return err
	}
	body := have()
	if o.Attached {
		body = wrap(tagContext0, wrap(tagOctets, later(size, func(w io.Writer) error {
			content, err := again()
			if err != nil {
				return fmt.Errorf("read content: %w", err)
			}
			return copySame(w, &reading{ctx, content}, m.alg.Digest.New(), sum, size)
		})))
	}
	out, err := m.message(body, info)
	if err != nil {
		return fmt.Errorf("encode signature: %w", err)
	}
	return out.writeTo(w)
}

var errNoContent = errors.New("neither content nor its digest")

// maker makes one SignerInfo.
type maker struct {
	signer  Signer
	cert    *cert.Certificate
	alg     algo.Algorithm
	o       Options
	counter bool // it is a countersignature
}

func newMaker(s Signer, o Options) (*maker, error) {
	m := &maker{signer: s, cert: s.Certificate(), o: o}
	var ok bool
	if m.alg, ok = algo.Lookup(s.Algorithm()); !ok || !slices.Contains(algo.Signing(m.cert.Key), m.alg.ID) {
		return nil, fmt.Errorf("%q with a %s key: %w", s.Algorithm(), m.cert.Key.Describe(), algo.ErrUnsupported)
	}
	switch o.Profile {
	case "", ProfileBES:
	case ProfileT:
		if o.Stamper == nil {
			return nil, fmt.Errorf("%w: no time-stamping authority", ErrProfile)
		}
	case Profile472:
		if !isGOST(m.alg.ID) {
			return nil, fmt.Errorf("%w: the format of order 472 is for GOST keys", ErrProfile)
		}
	default:
		return nil, fmt.Errorf("%w: %q", ErrProfile, o.Profile)
	}
	if m.o.SigningTime.IsZero() {
		m.o.SigningTime = time.Now()
	}
	return m, nil
}

// rewinder returns a function that takes content back to where it is now; nil when a second pass is not needed.
func (m *maker) rewinder(content io.Reader) (func() (io.Reader, error), error) {
	if !m.o.Attached {
		return nil, nil
	}
	s, ok := content.(io.Seeker)
	if !ok {
		return nil, errors.New("attached signature needs content that can be read twice")
	}
	start, err := s.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, fmt.Errorf("read content: %w", err)
	}
	return func() (io.Reader, error) {
		_, err := s.Seek(start, io.SeekStart)
		return content, err
	}, nil
}

// digest hashes content, or takes the digest that was given, and compares it with the approved one.
func (m *maker) digest(ctx context.Context, content io.Reader) ([]byte, int64, error) {
	if content == nil {
		return m.o.Digest, 0, nil
	}
	h := m.alg.Digest.New()
	n, err := io.Copy(h, &reading{ctx, content})
	if err != nil {
		return nil, 0, fmt.Errorf("read content: %w", err)
	}
	sum := h.Sum(nil)
	return sum, n, m.approved(sum)
}

func (m *maker) approved(sum []byte) error {
	if m.o.Digest != nil && !bytes.Equal(m.o.Digest, sum) {
		return ErrContentChanged
	}
	return nil
}

// sign makes the SignerInfo, checks it with the certificate's key and has it stamped.
func (m *maker) sign(ctx context.Context, sum []byte) ([]byte, error) {
	attrs, err := m.attributes(sum)
	if err != nil {
		return nil, fmt.Errorf("encode attributes: %w", err)
	}
	in := algo.Input{Message: set(attrs)}
	in.Digest = m.alg.Digest.Sum(in.Message)
	sig, err := m.signer.Sign(ctx, in)
	if err != nil {
		return nil, err
	}
	if !m.o.Checked {
		if err := m.cert.Key.Verify(m.alg.ID, in, sig); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSelfCheck, err)
		}
	}
	var unsigned [][]byte
	if m.o.Profile == ProfileT {
		stamp, err := stampOver(ctx, m.o.Stamper, m.alg.Digest, sig)
		if err != nil {
			return nil, err
		}
		unsigned = append(unsigned, stamp)
	}
	return m.signerInfo(attrs, sig, unsigned)
}

// stampOver is the signature-time-stamp attribute over a signature value (ETSI EN 319 122-1 section 5.3).
func stampOver(ctx context.Context, st Stamper, d algo.Digest, value []byte) ([]byte, error) {
	token, err := st.Stamp(ctx, d, d.Sum(value))
	if err != nil {
		return nil, err
	}
	t, err := ParseTimeStamp(token)
	if err == nil {
		err = t.CheckImprint(value)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStamp, err)
	}
	return newAttribute(oidTimeStamp, asn1.RawValue{FullBytes: token})
}

// message frames one SignerInfo. SignedData is version 1: plain data, certificates of X.509 only, the signer named by issuer
// and serial (RFC 5652 section 5.1). body is what follows the content type.
func (m *maker) message(body pieces, info []byte) (pieces, error) {
	digest, err := asn1.Marshal(m.digestID())
	if err != nil {
		return nil, err
	}
	certs := m.certificates()
	slices.SortFunc(certs, bytes.Compare)
	return signedData{
		version: have([]byte{asn1.TagInteger, 1, 1}), digests: have(digest), content: wrap(tagSequence, have(derData), body),
		certificates: have(certs...), signers: have(info),
	}.layout(), nil
}

// copySame copies size bytes and checks that they, and nothing more, are what was hashed before.
func copySame(w io.Writer, content io.Reader, h hash.Hash, sum []byte, size int64) error {
	n, err := io.Copy(w, io.TeeReader(io.LimitReader(content, size), h))
	if err != nil {
		return fmt.Errorf("write content: %w", err)
	}
	more, err := io.CopyN(io.Discard, content, 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read content: %w", err)
	}
	if n != size || more != 0 || !bytes.Equal(h.Sum(nil), sum) {
		return ErrContentChanged
	}
	return nil
}

// reading ends a long read when the context ends.
type reading struct {
	ctx context.Context
	r   io.Reader
}

func (r *reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
