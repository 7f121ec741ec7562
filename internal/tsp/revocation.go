// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"slices"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
)

const (
	maxServers = 3 // of one kind that are asked about one certificate
	nonceSize  = 32

	askCRLAgain    = 24 * time.Hour
	askOCSPAgain   = time.Hour
	askIssuerAgain = 7 * 24 * time.Hour

	// maxAge is how old an OCSP answer may be that neither repeats the nonce nor says when it will be renewed: such answers
	// are made when asked for, and clocks differ.
	maxAge = 24 * time.Hour

	// maxUnlimited is how long an answer is used that does not say when newer information will be there: that means always
	// (RFC 6960 section 4.2.2.1), and one look at a document asks several times.
	maxUnlimited = 5 * time.Minute
)

// Revocation implements cert.Source. It asks the OCSP servers of c, the first that answers being enough, and fetches revocation
// lists when none did, or when it was not the issuer that vouched for the answer. Lists at hand, fetched before or imported,
// are always there.
func (c *Client) Revocation(ctx context.Context, subject, issuer *cert.Certificate) ([]cert.Answer, error) {
	now := time.Now()
	s := search{client: c, subject: subject, issuer: issuer, ocspUntil: now.Add(c.deadline / 3), until: now.Add(c.deadline)}
	vouched := !c.noOCSP && s.ocsp(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s.crls(ctx, !vouched)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s.lists = append(s.lists, c.imported(issuer)...)
	slices.SortStableFunc(s.lists, func(a, b dated) int { return b.at.Compare(a.at) })
	for _, l := range s.lists {
		s.found = append(s.found, l.Answer)
	}
	return s.found, errors.Join(s.errs...)
}

// search is one call of Revocation.
type search struct {
	client           *Client
	subject, issuer  *cert.Certificate
	ocspUntil, until time.Time // OCSP that hangs leaves time for lists
	found            []cert.Answer
	lists            []dated
	errs             []error
}

type dated struct {
	cert.Answer
	at time.Time
}

// ocsp reports whether an answer was found for which the issuer vouches.
func (s *search) ocsp(ctx context.Context) bool {
	for _, url := range first(s.subject.X509.OCSPServer) {
		e, err := s.client.ocsp(ctx, url, s.subject, s.issuer, s.ocspUntil)
		if err != nil {
			s.errs = append(s.errs, err)
		}
		if e == nil {
			continue
		}
		s.found = append(s.found, cert.Answer{OCSP: true, DER: e.body, From: url, Got: e.Got})
		if o, malformed := cert.ParseOCSP(e.body); err == nil && malformed == nil && o.CheckSignatureFrom(s.issuer) == nil {
			return true
		}
	}
	return false
}

// crls fetches lists until the issuer's own is there; without fetch it takes what the cache holds.
func (s *search) crls(ctx context.Context, fetch bool) {
	for _, url := range first(s.subject.X509.CRLDistributionPoints) {
		var e *entry
		var err error
		if fetch {
			e, err = s.client.crl(ctx, url, s.issuer, false, s.until)
		} else {
			e = s.client.cache.get(name(kindCRL.name, url, ofIssuer(s.issuer)), kindCRL.limit)
		}
		if err != nil {
			s.errs = append(s.errs, err)
		}
		if e == nil {
			continue
		}
		der, l, readErr := readCRL(e.body)
		if readErr != nil {
			continue
		}
		s.lists = append(s.lists, dated{cert.Answer{DER: der, From: url, Got: e.Got}, l.ThisUpdate})
		if err == nil && bytes.Equal(l.RawIssuer, s.issuer.X509.RawSubject) {
			return
		}
	}
}

// ofIssuer tells what was kept for an issuer from what another, or one with another key, has at the same address.
func ofIssuer(issuer *cert.Certificate) []byte {
	if issuer == nil {
		return nil
	}
	return slices.Concat(issuer.X509.RawSubject, issuer.X509.RawSubjectPublicKeyInfo)
}

func first(urls []string) []string { return urls[:min(len(urls), maxServers)] }

// ocsp asks one server about one certificate (RFC 6960). The certificate is named with SHA-1, the one digest every server
// knows; it protects nothing here.
func (c *Client) ocsp(ctx context.Context, url string, subject, issuer *cert.Certificate, until time.Time) (*entry, error) {
	nonce := make([]byte, nonceSize)
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	body, err := cert.OCSPRequest(subject, issuer, algo.SHA1, nonce)
	if err != nil {
		return nil, failure(url, err)
	}
	return c.load(ctx, wanted{
		question: question{kind: kindOCSP, url: url, body: body, until: until},
		more:     slices.Concat(subject.Raw, issuer.X509.RawSubjectPublicKeyInfo),
		again:    askOCSPAgain,
		read:     func(der []byte) (reading, error) { return c.readOCSP(der, nonce, subject, issuer) },
	})
}

// readOCSP checks an answer that just came.
func (c *Client) readOCSP(der, nonce []byte, subject, issuer *cert.Certificate) (reading, error) {
	o, err := cert.ParseOCSP(der)
	if err != nil {
		return reading{}, errors.Join(ErrAnswer, err)
	}
	single, ok := o.Find(subject, issuer)
	if !ok {
		return reading{}, wrong("it is about other certificates")
	}
	now := c.now()
	switch {
	case o.Nonce != nil && !bytes.Equal(o.Nonce, nonce):
		return reading{}, wrong("it answers another request: the nonce differs")
	case single.ThisUpdate.After(now.Add(maxSkew)) || o.ProducedAt.After(now.Add(maxSkew)):
		return reading{}, wrong("it comes from the future")
	case o.Nonce == nil && single.NextUpdate.IsZero() && now.Sub(o.ProducedAt) > maxAge:
		return reading{}, ErrOutdated
	}
	until := single.NextUpdate
	if until.IsZero() {
		until = now.Add(maxUnlimited)
	}
	return reading{until: until, keep: o.CheckSignatureFrom(issuer) == nil}, nil
}

// crl fetches one list. It is kept when issuer signed it.
func (c *Client) crl(ctx context.Context, url string, issuer *cert.Certificate, force bool, until time.Time) (*entry, error) {
	return c.load(ctx, wanted{
		question: question{kind: kindCRL, url: url, until: until},
		more:     ofIssuer(issuer),
		again:    askCRLAgain,
		force:    force,
		read: func(body []byte) (reading, error) {
			_, l, err := readCRL(body)
			if err != nil {
				return reading{}, err
			}
			if l.ThisUpdate.After(c.now().Add(maxSkew)) {
				return reading{}, wrong("it comes from the future")
			}
			return reading{l.NextUpdate, issuer != nil && l.CheckSignatureFrom(issuer) == nil}, nil
		},
	})
}

// FetchCRL asks for the list at url now, whatever the cache holds; a server that says it has not changed is believed. The
// list is kept when issuer, which may be nil, signed it. A list that is out of date comes together with ErrOutdated, an old
// one with the reason why no newer was to be had. Offline it is the cache's.
func (c *Client) FetchCRL(ctx context.Context, url string, issuer *cert.Certificate) (cert.Answer, error) {
	e, err := c.crl(ctx, url, issuer, true, time.Time{})
	if e == nil {
		return cert.Answer{}, err
	}
	der, _, parseErr := readCRL(e.body)
	return cert.Answer{DER: der, From: url, Got: e.Got}, errors.Join(err, parseErr)
}

// readCRL reads a list, DER or PEM. A delta list says nothing without its base, which is not looked for, and is refused.
func readCRL(body []byte) ([]byte, *cert.CRL, error) {
	der, err := fromPEM(body, "X509 CRL")
	if err != nil {
		return nil, nil, err
	}
	l, err := cert.ParseCRL(der)
	switch {
	case err != nil:
		return nil, nil, errors.Join(ErrAnswer, err)
	case l.Delta:
		return nil, nil, wrong("a delta list")
	}
	return der, l, nil
}

// fromPEM returns what is in the first block of a type, and DER unchanged.
func fromPEM(body []byte, types ...string) ([]byte, error) {
	if len(body) > 0 && body[0] == 0x30 {
		return body, nil
	}
	for rest := body; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, wrong("neither DER nor PEM")
		}
		if slices.Contains(types, block.Type) {
			return block.Bytes, nil
		}
	}
}
