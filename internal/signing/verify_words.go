// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"errors"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/xmldsig"
	"persten/proto"
)

// words are the catalogue's: the code, what happened and what to do.
func words(e *proto.Error, lang string) (proto.Code, string, string) {
	t := proto.Text(e.Code, lang, e.Args)
	return e.Code, t.What, t.Next
}

// VerifyFault is what is wrong with the worst signature of a report, nil when all passed. Indication tells whether it is known
// to be wrong or only not known to be right.
func VerifyFault(r *cms.Report) *proto.Error {
	for _, wanted := range []cms.Indication{cms.TotalFailed, cms.Indeterminate} {
		for _, s := range r.Signers {
			if s.Conclusion.Indication == wanted {
				return signerFault(s.Conclusion)
			}
		}
	}
	return nil
}

// signerFault says in the catalogue's terms why a signature did not pass; nil when it did.
func signerFault(c cms.Conclusion) *proto.Error {
	if errors.Is(c.Problem, cms.ErrLimit) {
		return proto.E(proto.CodeFormatCMS, c.Problem, "detail", c.Problem.Error())
	}
	switch c.Sub {
	case "":
		return nil
	case cms.HashFailure:
		return proto.E(proto.CodeContentMismatch, c.Problem)
	case cms.ConstraintsFailure:
		return proto.E(proto.CodeSignatureIncomplete, c.Problem)
	case cms.NoCertificateFound:
		if errors.Is(c.Problem, cms.ErrSigningCertificate) {
			return proto.E(proto.CodeSignerMismatch, c.Problem)
		}
		return proto.E(proto.CodeSignerUnknown, c.Problem)
	case cms.SignedDataNotFound:
		if errors.Is(c.Problem, cms.ErrOtherDigest) {
			return otherDigest(c.Problem)
		}
		if errors.Is(c.Problem, xmldsig.ErrUnsupported) {
			return proto.E(proto.CodeAlgorithmUnsupported, c.Problem, "algorithm", "")
		}
		return proto.E(proto.CodeSignatureInvalid, c.Problem)
	case cms.FormatFailure, cms.CryptoFailure:
		return proto.E(proto.CodeSignatureInvalid, c.Problem)
	case cms.RevokedNoPOE:
		return dated(proto.CodeSignerRevoked, c)
	case cms.NotYetValid:
		return dated(proto.CodeSignerNotYetValid, c)
	case cms.OutOfBoundsNoPOE, cms.OutOfBoundsNotRevoked:
		if e := bounds(c, proto.CodeSignerExpired, proto.CodeSignerNotYetValid); e != nil {
			return e
		}
	}
	return pathFault(c)
}

// otherDigest names the digest algorithm of a signer whom the given digest does not reach.
func otherDigest(problem error) *proto.Error {
	var other *cms.OtherDigestError
	name := ""
	if errors.As(problem, &other) {
		name = string(other.Digest)
	}
	return proto.E(proto.CodeDigestOther, problem, "algorithm", name)
}

// stampFault is signerFault for a time-stamp: what matters is that its time is not proven.
func stampFault(c cms.Conclusion) *proto.Error {
	if errors.Is(c.Problem, cms.ErrLimit) {
		return signerFault(c)
	}
	switch c.Sub {
	case "":
		return nil
	case cms.HashFailure, cms.CryptoFailure, cms.FormatFailure, cms.ConstraintsFailure:
		return proto.E(proto.CodeTimestampMismatch, c.Problem)
	case cms.TimestampOrder:
		return proto.E(proto.CodeTimestampOrder, c.Problem)
	case cms.Expired, cms.OutOfBoundsNoPOE, cms.OutOfBoundsNotRevoked, cms.RevokedNoPOE, cms.RevokedCANoPOE:
		return dated(proto.CodeTimestampExpired, c)
	case cms.TryLater, cms.WeakNoPOE:
		return pathFault(c)
	}
	return proto.E(proto.CodeTimestampUntrusted, c.Problem)
}

// certificateFault is signerFault for a certificate by itself.
func certificateFault(c cms.Conclusion) *proto.Error {
	switch c.Sub {
	case "":
		return nil
	case cms.RevokedNoPOE:
		return dated(proto.CodeCertificateRevoked, c)
	case cms.NotYetValid:
		return dated(proto.CodeCertificateNotYetValid, c)
	case cms.OutOfBoundsNoPOE, cms.OutOfBoundsNotRevoked:
		if e := bounds(c, proto.CodeCertificateExpired, proto.CodeCertificateNotYetValid); e != nil {
			return e
		}
	case cms.ChainConstraints:
		if errors.Is(c.Path.Links[0].Problem, cert.ErrUse) {
			return proto.E(proto.CodeCertificateNotForSigning, c.Problem)
		}
	}
	return pathFault(c)
}

// pathFault says what all have in common.
func pathFault(c cms.Conclusion) *proto.Error {
	switch c.Sub {
	case cms.RevokedCANoPOE:
		return dated(proto.CodeIssuerRevoked, c)
	case cms.ChainConstraints:
		return proto.E(proto.CodeCertificateUnfit, c.Problem)
	case cms.TryLater:
		return proto.E(proto.CodeRevocationUnknown, c.Problem)
	case cms.WeakNoPOE:
		if errors.Is(c.Problem, cms.ErrAlgorithm) || errors.Is(c.Problem, algo.ErrUnsupported) {
			return proto.E(proto.CodeAlgorithmUnsupported, c.Problem, "algorithm", "")
		}
		return proto.E(proto.CodeAlgorithmWeak, c.Problem, "algorithm", "")
	}
	return proto.E(proto.CodeCertificateUntrusted, c.Problem)
}

// bounds is the fault of a certificate outside its dates, nil when it is an issuer's.
func bounds(c cms.Conclusion, expired, early proto.Code) *proto.Error {
	switch leaf := c.Path.Links[0].Problem; {
	case errors.Is(leaf, cert.ErrNotYetValid):
		return dated(early, c)
	case errors.Is(leaf, cert.ErrExpired):
		return dated(expired, c)
	}
	return nil
}

// dated adds the day that explains a fault: of revocation, or the end or beginning of the certificate.
func dated(code proto.Code, c cms.Conclusion) *proto.Error {
	var gone *cert.RevokedError
	var day time.Time
	switch {
	case errors.As(c.Problem, &gone):
		day = gone.At
	case c.Path == nil:
	case errors.Is(c.Problem, cert.ErrExpired):
		day = c.Path.Links[0].Certificate.X509.NotAfter
	default:
		day = c.Path.Links[0].Certificate.X509.NotBefore
	}
	date := ""
	if !day.IsZero() {
		date = day.Local().Format(time.DateOnly)
	}
	return proto.E(code, c.Problem, "date", date)
}
