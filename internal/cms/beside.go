// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"encoding/asn1"

	"persten/internal/cert"
)

var (
	oidCountersignature = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 6}
	oidTimeStamp        = aa(14)
	oidCertValues       = aa(23)
	oidRevocationValues = aa(24)
)

// beside reads the unsigned attributes. Nobody signed them: each says of itself whether it is worth anything.
func (v *verifier) beside(si signerInfo, rep *SignerReport) {
	if si.unsigned == nil {
		return
	}
	attrs, err := parseAttributes(si.unsigned)
	if err != nil {
		rep.Unread = append(rep.Unread, "malformed")
		return
	}
	for i, one := range attrs.list {
		values, err := receivedValues(attrs.received[i])
		if err != nil || !v.read(one.Type, values, si, rep) {
			rep.Unread = append(rep.Unread, one.Type.String())
		}
	}
	for _, t := range rep.TimeStamps {
		if rep.Valid && t.Problem == nil {
			rep.Format = FormatCAdEST
		}
	}
}

// receivedValues takes the values out of an attribute as they came.
func receivedValues(attribute []byte) ([][]byte, error) {
	_, _, body, _, err := split(attribute)
	if err != nil {
		return nil, err
	}
	_, _, _, values, err := split(body)
	if err != nil {
		return nil, err
	}
	_, _, body, _, err = split(values)
	if err != nil {
		return nil, err
	}
	return children(body, maxSigners)
}

// read reads one attribute and reports whether it could.
func (v *verifier) read(oid asn1.ObjectIdentifier, values [][]byte, si signerInfo, rep *SignerReport) bool {
	switch {
	case oid.Equal(oidTimeStamp):
		for _, der := range values {
			rep.TimeStamps = append(rep.TimeStamps, v.stamp(der, si.signature))
		}
	case oid.Equal(oidCountersignature):
		for _, der := range values {
			rep.Countersignatures = append(rep.Countersignatures, v.countersigner(der, si.signature))
		}
	case oid.Equal(oidCertValues) && len(values) == 1:
		return readCertificates(values[0], rep)
	case oid.Equal(oidRevocationValues) && len(values) == 1:
		return readAnswers(values[0], rep)
	default:
		return false
	}
	return len(values) > 0
}

// stamp checks a time-stamp over a signature value (ETSI EN 319 122-1 section 5.3).
func (v *verifier) stamp(der, value []byte) TimeStamp {
	if err := v.count(); err != nil {
		return TimeStamp{Raw: der, Problem: err}
	}
	var candidates []*cert.Certificate
	for _, pool := range v.pools {
		candidates = append(candidates, pool...)
	}
	t, err := parseTimeStamp(der, candidates, v.checked)
	if err != nil {
		return TimeStamp{Raw: der, Problem: err}
	}
	if err := t.CheckImprint(value); t.Problem == nil {
		t.Problem = err
	}
	return *t
}

// countersigner checks a countersignature (RFC 5652 section 11.4).
func (v *verifier) countersigner(der, value []byte) SignerReport {
	if v.level == maxLevel {
		return SignerReport{Format: FormatCMS, Problem: tooDeep()}
	}
	if err := v.count(); err != nil {
		return SignerReport{Format: FormatCMS, Problem: err}
	}
	inner := &verifier{message: v.message, pools: v.pools, checked: v.checked, level: v.level + 1, over: value}
	return inner.signer(der)
}

// count keeps the work within bounds that one file can ask for with what stands beside its signatures.
func (v *verifier) count() error {
	if *v.checked++; *v.checked > maxBeside {
		return tooMany("countersignatures and time-stamps", maxBeside)
	}
	return nil
}

// readCertificates reads certificate-values (RFC 5126 section 6.3.3).
func readCertificates(der []byte, rep *SignerReport) bool {
	tag, _, body, _, err := split(der)
	if err != nil || tag != tagSequence {
		return false
	}
	list, err := children(body, maxCertificates-len(rep.Certificates))
	if err != nil {
		return false
	}
	for _, one := range list {
		c, err := cert.Parse(one)
		if err != nil {
			return false
		}
		rep.Certificates = append(rep.Certificates, c)
	}
	return true
}

// readAnswers reads revocation-values (RFC 5126 section 6.3.4): lists under [0], basic OCSP answers under [1].
func readAnswers(der []byte, rep *SignerReport) bool {
	tag, _, body, _, err := split(der)
	if err != nil || tag != tagSequence {
		return false
	}
	groups, err := children(body, 3)
	if err != nil {
		return false
	}
	for _, group := range groups {
		tag, _, inner, _, _ := split(group)
		_, _, list, _, err := split(inner)
		if err != nil || tag != tagContext0 && tag != tagContext1 {
			return false
		}
		answers, err := children(list, maxValues)
		if err != nil {
			return false
		}
		for _, one := range answers {
			rep.Embedded = append(rep.Embedded, embedded(one, tag == tagContext1))
		}
	}
	return true
}
