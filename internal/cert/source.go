// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"context"
	"errors"
	"time"
)

// Source finds what issuers say about certificates: on the network, in files, in the signed document. Calls come from many
// goroutines. What a source returns is checked by whoever asked; a source need not check it.
type Source interface {
	// Revocation returns answers that may say something about c, the newest first. The answers found come together with
	// the joined errors of what could not be got. No answers and no error mean that the source knows of none.
	Revocation(ctx context.Context, c, issuer *Certificate) ([]Answer, error)
	// Issuers returns certificates that may have issued c, from its caIssuers addresses (RFC 5280 section 4.2.2.1); nil, nil
	// when the source knows none.
	Issuers(ctx context.Context, c *Certificate) ([]*Certificate, error)
}

// Answer is what an issuer says about its certificates, as it came.
type Answer struct {
	OCSP bool      // DER is an OCSPResponse or a BasicOCSPResponse; else a CertificateList
	DER  []byte    // not changed by anybody
	From string    // an address, the name of a file, or "signature" when it lay in the signed document
	Got  time.Time // when it was fetched; zero when that is not known

	list *CRL // DER parsed, when whoever made the answer keeps it
}

// Sources asks several sources in their order and joins what they say.
type Sources []Source

// Revocation implements Source.
func (s Sources) Revocation(ctx context.Context, c, issuer *Certificate) ([]Answer, error) {
	var all []Answer
	var errs []error
	for _, one := range s {
		found, err := one.Revocation(ctx, c, issuer)
		all, errs = append(all, found...), append(errs, err)
	}
	return all, errors.Join(errs...)
}

// Issuers implements Source.
func (s Sources) Issuers(ctx context.Context, c *Certificate) ([]*Certificate, error) {
	var all []*Certificate
	var errs []error
	for _, one := range s {
		found, err := one.Issuers(ctx, c)
		all, errs = append(all, found...), append(errs, err)
	}
	return all, errors.Join(errs...)
}

// Answers is a Source of answers at hand: those embedded in a signature, those read from files. It hands out all it has.
type Answers []Answer

// Revocation implements Source.
func (a Answers) Revocation(context.Context, *Certificate, *Certificate) ([]Answer, error) {
	return a, nil
}

// Issuers implements Source.
func (a Answers) Issuers(context.Context, *Certificate) ([]*Certificate, error) { return nil, nil }
