// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"time"
)

// period is the private key usage period (RFC 3280 section 4.2.1.4), zero times when absent.
type period struct{ from, to time.Time }

var oidPrivateKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 16}

var errPeriod = errors.New("malformed private key usage period")

// readPeriod returns no period when the certificate has none, and errPeriod when it cannot be read.
func readPeriod(x *x509.Certificate) (period, error) {
	value, ok := extension(x, oidPrivateKeyUsage)
	if !ok {
		return period{}, nil
	}
	var v struct {
		From asn1.RawValue `asn1:"optional,tag:0"`
		To   asn1.RawValue `asn1:"optional,tag:1"`
	}
	if rest, err := asn1.Unmarshal(value, &v); err != nil || len(rest) != 0 {
		return period{}, errPeriod
	}
	from, errFrom := readTime(v.From)
	to, errTo := readTime(v.To)
	if errFrom != nil || errTo != nil {
		return period{}, errPeriod
	}
	return period{from, to}, nil
}

// readTime reads a GeneralizedTime more freely than DER has it: with fractions of a second, which CAs do write, with zeros at
// their end, and in other time zones. An absent value is the zero time.
func readTime(v asn1.RawValue) (time.Time, error) {
	if len(v.FullBytes) == 0 {
		return time.Time{}, nil
	}
	if len(v.Bytes) > 40 {
		return time.Time{}, errPeriod
	}
	t, err := time.Parse("20060102150405Z0700", string(v.Bytes)) // takes a fraction, too
	if err != nil || t.Year() == 0 {
		return time.Time{}, errPeriod
	}
	return t.UTC(), nil
}

// PrivateKeyUsage is the period in which the private key may be used, when the certificate states one. A bound it does
// not state is the zero time. It may end before the certificate does, and its bounds may have fractions of a second.
func (c *Certificate) PrivateKeyUsage() (from, to time.Time, ok bool) {
	return c.pku.from, c.pku.to, !c.pku.from.IsZero() || !c.pku.to.IsZero()
}

// KeyValidAt returns nil when the private key may sign at t: ValidAt's errors, and ErrKeyNotYetValid or ErrKeyExpired
// when the certificate is valid but the private key usage period is not. A signature made in time stays good after it.
func (c *Certificate) KeyValidAt(t time.Time) error {
	if err := c.ValidAt(t); err != nil {
		return err
	}
	switch {
	case t.Before(c.pku.from):
		return ErrKeyNotYetValid
	case !c.pku.to.IsZero() && t.After(c.pku.to):
		return ErrKeyExpired
	}
	return nil
}
