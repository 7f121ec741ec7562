// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"context"
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
// Nothing is written before the signature has been made and checked. An error during writing, ErrContentChanged among
// them, leaves an incomplete w that the caller throws away. Errors of s come through unchanged.
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
	if o.Digest != nil && !bytes.Equal(o.Digest, sum) {
		return ErrContentChanged
	}
	info, err := m.sign(ctx, sum)
	if err != nil {
		return err
	}
	out, err := m.frame(info, size)
	if err != nil {
		return fmt.Errorf("encode signature: %w", err)
	}
	return m.write(ctx, w, again, out, sum, size)
}

var errNoContent = errors.New("neither content nor its digest")

// maker is one call of Sign.
type maker struct {
	signer Signer
	cert   *cert.Certificate
	alg    algo.Algorithm
	o      Options
}

func newMaker(s Signer, o Options) (*maker, error) {
	m := &maker{signer: s, cert: s.Certificate(), o: o}
	var ok bool
	if m.alg, ok = algo.Lookup(s.Algorithm()); !ok || !slices.Contains(algo.Signing(m.cert.Key), m.alg.ID) {
		return nil, fmt.Errorf("%q with a %s key: %w", s.Algorithm(), m.cert.Key.Describe(), algo.ErrUnsupported)
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

func (m *maker) digest(ctx context.Context, content io.Reader) ([]byte, int64, error) {
	if content == nil {
		return m.o.Digest, 0, nil
	}
	h := m.alg.Digest.New()
	n, err := io.Copy(h, &reading{ctx, content})
	if err != nil {
		return nil, 0, fmt.Errorf("read content: %w", err)
	}
	return h.Sum(nil), n, nil
}

// sign makes the SignerInfo and checks it with the certificate's key.
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
	return m.signerInfo(attrs, sig)
}

// write puts the content between head and tail, or nothing when detached, comparing it with what was signed.
func (m *maker) write(ctx context.Context, w io.Writer, again func() (io.Reader, error), out framing, sum []byte, size int64) error {
	if _, err := w.Write(out.head); err != nil {
		return fmt.Errorf("write signature: %w", err)
	}
	if again != nil {
		content, err := again()
		if err != nil {
			return fmt.Errorf("read content: %w", err)
		}
		if err := copySame(w, &reading{ctx, content}, m.alg.Digest.New(), sum, size); err != nil {
			return err
		}
	}
	if _, err := w.Write(out.tail); err != nil {
		return fmt.Errorf("write signature: %w", err)
	}
	return nil
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
