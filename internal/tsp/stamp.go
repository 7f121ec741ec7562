// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
)

// ErrTimeStamp is a time-stamp that came and proves nothing: of other data, without a sound signature, by an authority that
// is none. The cause is joined: one of package cms or cert, when it comes from there.
var ErrTimeStamp = errors.New("the time-stamp is not sound")

// Rejection is what an authority that refuses says (RFC 3161 section 2.4.2).
type Rejection struct {
	Status int      // 2 rejection, 3 waiting, 4 and 5 revocation of the authority
	Fails  []string // names of the failure bits, such as "badAlg"
	Text   string   // its own words, cut to 200 bytes; data from outside
}

func (r *Rejection) Error() string {
	return strings.TrimRight(fmt.Sprintf("the authority refuses: status %d %s %q", r.Status, strings.Join(r.Fails, " "), r.Text), ` "`)
}

// Unwrap returns ErrStatus.
func (r *Rejection) Unwrap() error { return ErrStatus }

// maxSkew is how far an authority's time may be from ours. The nonce already proves that a stamp is new, so this finds
// authorities gone astray; it is a day because computers with the wrong time zone are common.
const maxSkew = 24 * time.Hour

// maxNonce is above all nonces: 64 bits, which every authority takes.
var maxNonce = new(big.Int).Lsh(big.NewInt(1), 64)

// Stamper asks one authority. It is a cms.Stamper.
type Stamper struct {
	client *Client
	url    string
	trust  cert.Trust
	policy asn1.ObjectIdentifier
	named  bool
}

// Stamper returns the authority at url. trust says which authorities are believed: a stamp whose certificate does not lead to
// one of its roots at the time of stamping is ErrTimeStamp. Its At is not used; with a Source, revocation is looked at.
func (c *Client) Stamper(url string, trust cert.Trust) *Stamper {
	return &Stamper{client: c, url: url, trust: trust}
}

// WithPolicy asks for stamps under a policy, and takes no others.
func (s *Stamper) WithPolicy(policy asn1.ObjectIdentifier) *Stamper {
	with := *s
	with.policy = policy
	return &with
}

// Named says that whoever configures this program named the authority's URL: requests to it, at its own host and port, are sent
// wherever it is, also to this computer. Redirects from it, and all else the client fetches, gain nothing.
func (s *Stamper) Named() *Stamper {
	with := *s
	with.named = true
	return &with
}

// Stamp returns the token of a time-stamp over imprint, which is a digest made with d. It was checked: nonce, imprint,
// policy, signature, signing-certificate attribute, key usage and path of the authority, and that its time is within a day
// of ours. The error is a *Failure.
func (s *Stamper) Stamp(ctx context.Context, d algo.Digest, imprint []byte) ([]byte, error) {
	if !d.Known() || len(imprint) != d.Size() {
		return nil, failure(s.url, fmt.Errorf("imprint of %d bytes for %q: %w", len(imprint), d, algo.ErrInput))
	}
	nonce, err := rand.Int(rand.Reader, maxNonce)
	if err != nil {
		return nil, err
	}
	body, err := stampRequest(d, imprint, nonce, s.policy)
	if err != nil {
		return nil, failure(s.url, err)
	}
	a, err := s.client.fetch(ctx, question{kind: kindStamp, url: s.url, body: body, named: s.named})
	if err != nil {
		return nil, err
	}
	token, err := stampToken(a.body)
	if err == nil {
		err = s.check(ctx, token, d, imprint, nonce)
	}
	if err != nil {
		return nil, failure(s.url, err)
	}
	return token, nil
}

// stampRequest is a TimeStampReq (RFC 3161 section 2.4.1) that asks for the authority's certificate.
func stampRequest(d algo.Digest, imprint []byte, nonce *big.Int, policy asn1.ObjectIdentifier) ([]byte, error) {
	type messageImprint struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	return asn1.Marshal(struct {
		Version int
		Imprint messageImprint
		Policy  asn1.ObjectIdentifier `asn1:"optional"`
		Nonce   *big.Int
		CertReq bool
	}{1, messageImprint{imprintAlgorithm(d), imprint}, policy, nonce, true})
}

// imprintAlgorithm has NULL parameters: OpenSSL and CryptoPro write them, RFC 5754 lets servers take both.
func imprintAlgorithm(d algo.Digest) pkix.AlgorithmIdentifier {
	return pkix.AlgorithmIdentifier{Algorithm: d.OID(), Parameters: asn1.NullRawValue}
}

var failBits = []struct {
	bit  int
	name string
}{
	{0, "badAlg"}, {2, "badRequest"}, {5, "badDataFormat"}, {14, "timeNotAvailable"}, {15, "unacceptedPolicy"},
	{16, "unacceptedExtension"}, {17, "addInfoNotAvailable"}, {25, "systemFailure"},
}

// stampToken takes the token out of a TimeStampResp. A refusal is a *Rejection.
func stampToken(der []byte) ([]byte, error) {
	var r struct {
		Status struct {
			Status int
			Text   asn1.RawValue  `asn1:"optional,tag:16,class:0"`
			Fails  asn1.BitString `asn1:"optional"`
		}
		Token asn1.RawValue `asn1:"optional"`
	}
	rest, err := asn1.Unmarshal(der, &r)
	if err != nil || len(rest) != 0 {
		return nil, wrong("not a time-stamp response")
	}
	if s := r.Status.Status; s != 0 && s != 1 { // granted, grantedWithMods
		return nil, rejection(s, r.Status.Text, r.Status.Fails)
	}
	if len(r.Token.FullBytes) == 0 {
		return nil, wrong("granted, and no token")
	}
	return r.Token.FullBytes, nil
}

func rejection(status int, text asn1.RawValue, fails asn1.BitString) error {
	r := &Rejection{Status: status}
	for _, f := range failBits {
		if fails.At(f.bit) == 1 {
			r.Fails = append(r.Fails, f.name)
		}
	}
	var words []string
	for rest := text.Bytes; len(rest) > 0 && len(words) < 8; {
		var one asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &one); err != nil {
			break
		}
		words = append(words, string(one.Bytes))
	}
	r.Text = strings.ToValidUTF8(strings.Join(words, " "), "\uFFFD")
	if len(r.Text) > 200 {
		r.Text = strings.ToValidUTF8(r.Text[:200], "")
	}
	return r
}

// check is RFC 3161 section 2.2, the requester's part.
func (s *Stamper) check(ctx context.Context, token []byte, d algo.Digest, imprint []byte, nonce *big.Int) error {
	ts, err := cms.ParseTimeStamp(token, s.trust.Intermediates...)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	skew := ts.Time.Sub(s.client.now()).Abs()
	switch {
	case ts.Digest != d || !bytes.Equal(ts.Imprint, imprint):
		return unsound(cms.ErrImprint)
	case ts.Nonce == nil || ts.Nonce.Cmp(nonce) != 0:
		return unsound(errors.New("it answers another request: the nonce differs"))
	case s.policy != nil && !ts.Policy.Equal(s.policy):
		return unsound(fmt.Errorf("its policy is %v", ts.Policy))
	case ts.Problem != nil:
		return unsound(ts.Problem)
	case ts.Signer.Certificate == nil:
		return unsound(cms.ErrNoCertificate)
	case skew > maxSkew:
		return unsound(fmt.Errorf("its time %s is %s from ours", ts.Time.UTC().Format(time.RFC3339), skew.Round(time.Minute)))
	}
	if err := stampingOnly(ts.Signer.Certificate); err != nil {
		return unsound(err)
	}
	return s.believed(ctx, ts)
}

func (s *Stamper) believed(ctx context.Context, ts *cms.TimeStamp) error {
	trust := s.trust
	trust.At = ts.Time
	trust.Intermediates = append(ts.Certificates[:len(ts.Certificates):len(ts.Certificates)], trust.Intermediates...)
	if p := trust.Validate(ctx, ts.Signer.Certificate, cert.UseTimeStamping); !p.Holds() {
		return unsound(p.Problem)
	}
	return nil
}

func unsound(err error) error { return fmt.Errorf("%w: %w", ErrTimeStamp, err) }

var oidExtKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}

// stampingOnly requires extended key usage timeStamping, critical and alone (RFC 3161 section 2.3).
func stampingOnly(c *cert.Certificate) error {
	x := c.X509
	if len(x.ExtKeyUsage) != 1 || x.ExtKeyUsage[0] != x509.ExtKeyUsageTimeStamping || len(x.UnknownExtKeyUsage) != 0 {
		return fmt.Errorf("%w: not a certificate for time-stamps alone", cert.ErrUse)
	}
	for _, e := range x.Extensions {
		if e.Id.Equal(oidExtKeyUsage) && e.Critical {
			return nil
		}
	}
	return fmt.Errorf("%w: its extended key usage is not critical", cert.ErrUse)
}
