// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"bytes"
	"context"
	"errors"
	"time"

	"persten/internal/cert"
)

// maxCandidates is how many certificates of one answer have a signature checked with them, which may take 15 ms.
const maxCandidates = 8

// Issuers implements cert.Source: what is at the caIssuers addresses of c, a certificate (DER, PEM) or a bundle of them (PEM,
// .p7b), as far as it made c's signature.
func (c *Client) Issuers(ctx context.Context, subject *cert.Certificate) ([]*cert.Certificate, error) {
	var found []*cert.Certificate
	var errs []error
	until := time.Now().Add(c.deadline)
	for _, url := range first(subject.X509.IssuingCertificateURL) {
		list, err := c.issuersAt(ctx, url, subject, until)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		found, errs = append(found, list...), append(errs, err)
		if len(found) > 0 {
			break
		}
	}
	return found, errors.Join(errs...)
}

// issuersAt reads one address. What is kept may be of a key the issuer had before: then the server is asked again.
func (c *Client) issuersAt(ctx context.Context, url string, subject *cert.Certificate, until time.Time) (list []*cert.Certificate, err error) {
	w := wanted{
		question: question{kind: kindIssuer, url: url, until: until},
		more:     subject.X509.RawIssuer,
		again:    askIssuerAgain,
		read: func(body []byte) (reading, error) {
			list, err := issuersOf(subject, body)
			return reading{keep: len(list) > 0}, err
		},
	}
	for {
		e, err := c.load(ctx, w)
		if e == nil {
			return nil, err
		}
		list, unfit := issuersOf(subject, e.body)
		if unfit == nil || err != nil || w.force || c.offline {
			return list, errors.Join(err, failure(url, unfit))
		}
		w.force = true
	}
}

// issuersOf reads certificates and keeps those that made subject's signature.
func issuersOf(subject *cert.Certificate, body []byte) ([]*cert.Certificate, error) {
	all, err := cert.ParseAll(body)
	if len(all) == 0 {
		return nil, errors.Join(ErrAnswer, err)
	}
	var list []*cert.Certificate
	for checked, i := 0, 0; i < len(all) && checked < maxCandidates; i++ {
		if !bytes.Equal(all[i].X509.RawSubject, subject.X509.RawIssuer) {
			continue
		}
		checked++
		if subject.CheckSignatureFrom(all[i]) == nil {
			list = append(list, all[i])
		}
	}
	if len(list) == 0 {
		return nil, wrong("it holds no certificate of the issuer")
	}
	return list, nil
}
