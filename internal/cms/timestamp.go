// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
)

var oidTSTInfo = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}

// TimeStamp is a time-stamp token (RFC 3161 section 2.4.2): what an authority says existed at Time.
type TimeStamp struct {
	Time     time.Time
	Accuracy time.Duration // zero when the authority does not tell
	Policy   asn1.ObjectIdentifier
	Serial   *big.Int
	Digest   algo.Digest // of Imprint; "" for one not known here
	Imprint  []byte
	Nonce    *big.Int     // nil when absent
	Signer   SignerReport // the authority's signature; trust is for the caller to decide
	Problem  error        // why the token proves nothing here: its signature is wrong, or ErrImprint; nil when sound
	Raw      []byte
	Version  int // of its SignedData, which nobody signed; 3 by the rules

	Certificates []*cert.Certificate // in the token, for the authority's path
	Embedded     []cert.Answer       // in the token

	Conclusion Conclusion // of Report.Conclude
}

// tstInfo is TSTInfo (RFC 3161 section 2.4.2).
type tstInfo struct {
	Version int
	Policy  asn1.ObjectIdentifier
	Imprint struct {
		Algorithm pkix.AlgorithmIdentifier
		Value     []byte
	}
	Serial     *big.Int
	Time       asn1.RawValue
	Accuracy   accuracy         `asn1:"optional"`
	Ordering   bool             `asn1:"optional"`
	Nonce      *big.Int         `asn1:"optional"`
	TSA        asn1.RawValue    `asn1:"optional,tag:0"`
	Extensions []pkix.Extension `asn1:"optional,tag:1"`
}

type accuracy struct {
	Seconds int64 `asn1:"optional"`
	Millis  int   `asn1:"optional,tag:0"`
	Micros  int   `asn1:"optional,tag:1"`
}

// ParseTimeStamp reads a token and checks the authority's signature and attributes, not its certificate's path or purpose,
// and not the imprint: CheckImprint does. The authority's certificate is looked for in the token, then among candidates. The
// error is nil when the token could be read, whatever it is worth; it wraps ErrFormat or ErrLimit.
func ParseTimeStamp(der []byte, candidates ...*cert.Certificate) (*TimeStamp, error) {
	return parseTimeStamp(der, candidates, new(int))
}

// parseTimeStamp counts what stands beside the authority's signature in checked.
func parseTimeStamp(der []byte, candidates []*cert.Certificate, checked *int) (*TimeStamp, error) {
	body := &capped{}
	m, err := parseWith(newReader(bytes.NewReader(der)), &message{body: body})
	if err != nil {
		return nil, err
	}
	if !m.contentType.Equal(oidTSTInfo) || !m.attached || len(m.signers) != 1 {
		return nil, malformed("not a time-stamp token")
	}
	t := &TimeStamp{Raw: der, Version: m.version, Certificates: m.certs, Embedded: m.answers}
	extensions, err := t.info(body.Bytes())
	if err != nil {
		return nil, err
	}
	v := &verifier{message: m, checked: checked, sums: m.sums.values(), pools: [][]*cert.Certificate{m.certs, candidates}}
	t.Signer = v.signer(m.signers[0].der)
	t.Signer.Format = FormatTimeStamp
	t.Problem = t.Signer.Problem
	for _, e := range extensions {
		if e.Critical && t.Problem == nil {
			t.Problem = fmt.Errorf("%w: critical extension %v of the time-stamp", ErrAttributes, e.Id)
		}
	}
	return t, nil
}

// info reads TSTInfo into t.
func (t *TimeStamp) info(der []byte) ([]pkix.Extension, error) {
	var info tstInfo
	if err := decode(der, &info); err != nil || info.Version != 1 || info.Serial == nil {
		return nil, malformed("time-stamp information")
	}
	at, err := time.Parse("20060102150405Z0700", string(info.Time.Bytes)) // takes a fraction, too
	if err != nil || info.Time.Tag != asn1.TagGeneralizedTime || info.Time.Class != asn1.ClassUniversal {
		return nil, malformed("time of the time-stamp")
	}
	a := info.Accuracy
	if a.Seconds < 0 || a.Seconds > 1<<31 || a.Millis < 0 || a.Millis > 999 || a.Micros < 0 || a.Micros > 999 {
		return nil, malformed("accuracy of the time-stamp")
	}
	t.Time, t.Policy, t.Serial, t.Nonce, t.Imprint = at.UTC(), info.Policy, info.Serial, info.Nonce, info.Imprint.Value
	t.Accuracy = time.Duration(a.Seconds)*time.Second + time.Duration(a.Millis)*time.Millisecond + time.Duration(a.Micros)*time.Microsecond
	t.Digest, _ = digestOf(info.Imprint.Algorithm)
	return info.Extensions, nil
}

// CheckImprint returns nil when the token is over data, ErrImprint when it is not, and ErrAlgorithm when its digest is not
// known here.
func (t *TimeStamp) CheckImprint(data []byte) error {
	switch {
	case t.Digest == "":
		return fmt.Errorf("%w: digest of the time-stamp", ErrAlgorithm)
	case !bytes.Equal(t.Imprint, t.Digest.Sum(data)):
		return ErrImprint
	}
	return nil
}

// capped holds the little content a token has.
type capped struct{ bytes.Buffer }

func (c *capped) Write(p []byte) (int, error) {
	if c.Len()+len(p) > maxTSTInfo {
		return 0, fmt.Errorf("%w: time-stamp information over %d bytes", ErrLimit, maxTSTInfo)
	}
	return c.Buffer.Write(p)
}
