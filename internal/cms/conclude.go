// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"context"
	"errors"
	"slices"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
)

// Indication is the conclusion about a signature (ETSI EN 319 102-1 section 5.1.3).
type Indication string

// The indications.
const (
	TotalPassed   Indication = "TOTAL_PASSED"
	TotalFailed   Indication = "TOTAL_FAILED"
	Indeterminate Indication = "INDETERMINATE"
)

// SubIndication is why a signature did not pass, as EN 319 102-1 names it.
type SubIndication string

// The sub-indications that are given here: those of signatures without archive time-stamps.
const (
	FormatFailure         SubIndication = "FORMAT_FAILURE"
	HashFailure           SubIndication = "HASH_FAILURE"
	CryptoFailure         SubIndication = "SIG_CRYPTO_FAILURE"
	Expired               SubIndication = "EXPIRED"
	NotYetValid           SubIndication = "NOT_YET_VALID"
	ConstraintsFailure    SubIndication = "SIG_CONSTRAINTS_FAILURE"
	ChainConstraints      SubIndication = "CHAIN_CONSTRAINTS_FAILURE"
	ChainFailure          SubIndication = "CERTIFICATE_CHAIN_GENERAL_FAILURE"
	WeakNoPOE             SubIndication = "CRYPTO_CONSTRAINTS_FAILURE_NO_POE"
	TimestampOrder        SubIndication = "TIMESTAMP_ORDER_FAILURE"
	NoCertificateFound    SubIndication = "NO_SIGNING_CERTIFICATE_FOUND"
	NoChainFound          SubIndication = "NO_CERTIFICATE_CHAIN_FOUND"
	RevokedNoPOE          SubIndication = "REVOKED_NO_POE"
	RevokedCANoPOE        SubIndication = "REVOKED_CA_NO_POE"
	OutOfBoundsNotRevoked SubIndication = "OUT_OF_BOUNDS_NOT_REVOKED"
	OutOfBoundsNoPOE      SubIndication = "OUT_OF_BOUNDS_NO_POE"
	TryLater              SubIndication = "TRY_LATER"
	SignedDataNotFound    SubIndication = "SIGNED_DATA_NOT_FOUND"
)

// Problems that a conclusion finds beside those of a signature and of a path.
var (
	// ErrSignedData means that what was signed cannot be had; the errors of XML references wrap it.
	ErrSignedData = errors.New("what was signed could not be found")
	// ErrWeak means an algorithm that no longer counts, and no proof that it was used while it did.
	ErrWeak = errors.New("the algorithm is no longer considered secure")
	// ErrFuture is a time-stamp's time after the time of the check.
	ErrFuture = errors.New("the time-stamp is from the future")
	// ErrBefore means that the signature is older than its certificate.
	ErrBefore = errors.New("the signature is older than the certificate")
)

// Conclusion is what follows from everything known about one signature or time-stamp. The zero value means that Conclude was
// not called.
type Conclusion struct {
	Indication Indication
	Sub        SubIndication // "" when it passed
	Problem    error         // what Sub stands for; nil when it passed
	Checked    time.Time     // the time of the check
	Time       time.Time     // for which it is proven that the signature existed (best signature time): Checked, or a time-stamp's
	Stamped    bool          // Time is from a time-stamp that holds
	Path       *cert.Path    // of the certificate at Time, with revocation; nil without a certificate
}

// skew is how far ahead the clocks of authorities may run.
const skew = 5 * time.Minute

// Limits of one report, whatever it holds.
const (
	maxPathChecks = 256         // signatures of certificates, for all paths; as many of answers about revocation
	maxAsking     = time.Minute // for all that sources are asked
)

// Conclude draws the conclusion about every signature, its time-stamps and its countersignatures (EN 319 102-1 sections 5.3 to
// 5.5) and sets their Conclusion, Chain, Trusted and TrustProblem. t.At is the time of the check. Answers that lie in the
// signature are asked about revocation before t.Source; without any, nobody is taken for not revoked. Sources are asked for a
// minute in all: what they have not said by then is not known, and the conclusions that need it are INDETERMINATE.
//
// Trusted tells that the path leads to a trusted root and nothing is known against it: it may be true where revocation is
// unknown and the indication therefore INDETERMINATE.
func (r *Report) Conclude(ctx context.Context, t cert.Trust) {
	if t.At.IsZero() {
		t.At = time.Now()
	}
	ctx, cancel := context.WithTimeout(ctx, maxAsking)
	defer cancel()
	t = with(t, r.Certificates, r.Embedded).Bounded(maxPathChecks)
	for i := range r.Signers {
		r.Signers[i].conclude(ctx, t)
	}
}

// ConcludeCertificate is the conclusion about a certificate by itself, at t.At or now, for one use.
func ConcludeCertificate(ctx context.Context, c *cert.Certificate, t cert.Trust, use cert.Use) Conclusion {
	if t.At.IsZero() {
		t.At = time.Now()
	}
	t = with(t, nil, nil)
	return facts{now: t.At, best: t.At, use: use}.conclude(ctx, t, c)
}

// Indication is the worst one among the signers, and INDETERMINATE for a report without any.
func (r *Report) Indication() Indication {
	worst := TotalPassed
	for _, s := range r.Signers {
		switch i := s.Conclusion.Indication; {
		case i == TotalFailed:
			return TotalFailed
		case i != TotalPassed:
			worst = Indeterminate
		}
	}
	if len(r.Signers) == 0 {
		return Indeterminate
	}
	return worst
}

// with adds what was found in a file to what is trusted and asked.
func with(t cert.Trust, certs []*cert.Certificate, answers []cert.Answer) cert.Trust {
	t.Intermediates = slices.Concat(certs, t.Intermediates)
	sources := cert.Sources{cert.Answers(answers)}
	if t.Source != nil {
		sources = append(sources, t.Source)
	}
	t.Source = sources
	return t
}

// conclude handles one signature: time-stamps first, because they tell for which time the path counts.
func (s *SignerReport) conclude(ctx context.Context, t cert.Trust) {
	t = with(t, s.Certificates, s.Embedded)
	f := facts{problem: s.Problem, intact: s.Intact || !s.isCMS(), now: t.At, best: t.At, algorithm: s.Algorithm, use: cert.UseDocument}
	for i := range s.TimeStamps {
		stamp := &s.TimeStamps[i]
		stamp.conclude(ctx, t)
		if stamp.Conclusion.Indication == TotalPassed && (!f.stamped || stamp.Time.Before(f.best)) {
			f.best, f.stamped = stamp.Time, true
		}
	}
	s.Conclusion = f.conclude(ctx, t, s.Certificate)
	s.trust()
	for i := range s.Countersignatures {
		s.Countersignatures[i].conclude(ctx, t)
	}
}

func (s *SignerReport) isCMS() bool {
	switch s.Format {
	case FormatXMLDSig, FormatXAdESBES, FormatXAdESEPES:
		return false
	}
	return true
}

// trust fills the older fields from the path.
func (s *SignerReport) trust() {
	s.Chain, s.Trusted, s.TrustProblem = nil, false, ErrNoCertificate
	p := s.Conclusion.Path
	if p == nil {
		return
	}
	for _, l := range p.Links {
		s.Chain = append(s.Chain, l.Certificate)
	}
	s.TrustProblem = p.Problem
	if onlyUnknown(p) {
		s.TrustProblem = nil
	}
	s.Trusted = s.TrustProblem == nil
}

// onlyUnknown reports whether nothing is wrong with a path but that nobody tells about revocation.
func onlyUnknown(p *cert.Path) bool {
	last := p.Links[len(p.Links)-1]
	for _, l := range p.Links {
		if k := kindOf(l.Problem); k != sound && k != unknown {
			return false
		}
	}
	return last.Root
}

// conclude handles a time-stamp: a signature of its authority, checked for now (EN 319 102-1 section 5.4). What the authority
// claims, its own time, only can speak against it.
func (ts *TimeStamp) conclude(ctx context.Context, t cert.Trust) {
	t = with(t, ts.Certificates, ts.Embedded)
	problem := ts.Problem
	if problem == nil {
		problem = ts.Signer.Problem
	}
	f := facts{
		problem: problem, intact: true, now: t.At, best: t.At, algorithm: ts.Signer.Algorithm, use: cert.UseTimeStamping, made: ts.Time,
	}
	ts.Conclusion = f.conclude(ctx, t, ts.Signer.Certificate)
	ts.Signer.Conclusion = ts.Conclusion
	ts.Signer.trust()
}

// facts are what a conclusion rests on, beside the path.
type facts struct {
	problem   error // of form and mathematics
	intact    bool  // of a CMS signature that lacks something: what is there fits
	now, best time.Time
	stamped   bool // best is from a time-stamp that holds
	algorithm algo.ID
	use       cert.Use
	made      time.Time // of a time-stamp: its own time
}

// conclude looks up the path, also of a signature that is wrong: people want to see whose it claims to be.
func (f facts) conclude(ctx context.Context, t cert.Trust, c *cert.Certificate) Conclusion {
	out := Conclusion{Checked: f.now, Time: f.best, Stamped: f.stamped}
	if c != nil {
		t.At = f.best
		out.Path = t.Validate(ctx, c, f.use)
	}
	out.Indication, out.Sub, out.Problem = f.decide(out.Path)
	return out
}

// decide is the whole decision; it looks at nothing but its arguments. The building blocks come in the order of EN 319 102-1
// section 5.3.4.
func (f facts) decide(p *cert.Path) (Indication, SubIndication, error) {
	if f.problem != nil {
		i, sub := ofProblem(f.problem, f.intact)
		return i, sub, f.problem
	}
	if p == nil {
		return Indeterminate, NoCertificateFound, ErrNoCertificate
	}
	if i, sub, err := f.times(p.Links[0].Certificate); err != nil {
		return i, sub, err
	}
	if sub, err := ofPath(p); err != nil {
		return Indeterminate, sub, err
	}
	if f.weak() {
		return Indeterminate, WeakNoPOE, ErrWeak
	}
	return TotalPassed, "", nil
}

// times looks for contradictions between the times of a signature or time-stamp and its certificate's.
func (f facts) times(c *cert.Certificate) (Indication, SubIndication, error) {
	switch {
	case !f.made.IsZero() && f.made.After(f.now.Add(skew)):
		return Indeterminate, TimestampOrder, ErrFuture
	case !f.made.IsZero() && f.made.After(c.X509.NotAfter):
		return TotalFailed, Expired, cert.ErrExpired
	case !f.made.IsZero() && f.made.Before(c.X509.NotBefore):
		return TotalFailed, NotYetValid, cert.ErrNotYetValid
	case f.best.Before(c.X509.NotBefore):
		return TotalFailed, NotYetValid, ErrBefore
	}
	return "", "", nil
}

// problems tells what the errors of a signature mean: form (section 5.2.2), identification of the signing certificate (5.2.3),
// cryptographic verification (5.2.7), acceptance (5.2.8). The first that fits counts.
var problems = []struct {
	err        error
	indication Indication
	sub        SubIndication
}{
	{ErrImprint, TotalFailed, HashFailure},
	{ErrDigest, TotalFailed, HashFailure},
	{ErrOtherDigest, Indeterminate, SignedDataNotFound},
	{ErrSignature, TotalFailed, CryptoFailure},
	{ErrUnreferenced, Indeterminate, ConstraintsFailure},
	{ErrSigningCertificate, Indeterminate, NoCertificateFound},
	{ErrNoCertificate, Indeterminate, NoCertificateFound},
	{ErrAttributes, Indeterminate, ConstraintsFailure},
	{ErrAlgorithm, Indeterminate, WeakNoPOE},
	{ErrSignedData, Indeterminate, SignedDataNotFound},
	{ErrUsage, Indeterminate, ChainConstraints},
	{ErrLimit, Indeterminate, ConstraintsFailure}, // nobody looked at it
}

func ofProblem(err error, intact bool) (Indication, SubIndication) {
	for _, p := range problems {
		if !errors.Is(err, p.err) {
			continue
		}
		if p.sub == ConstraintsFailure && p.err != ErrLimit && !intact { // what it lacks is the lesser fault
			return TotalFailed, CryptoFailure
		}
		return p.indication, p.sub
	}
	return TotalFailed, FormatFailure
}

// kind is what is wrong with a link, the gravest last.
type kind int

const (
	sound kind = iota
	unknown
	expired
	early
	revoked
	unfit
	broken
	unsupported
	absent
)

var linkKinds = []struct {
	err  error
	kind kind
}{
	{cert.ErrIssuerAbsent, absent}, {cert.ErrRootUnknown, absent},
	{algo.ErrUnsupported, unsupported},
	{cert.ErrIssuer, unfit}, {cert.ErrSignature, broken}, {cert.ErrMalformed, broken}, {cert.ErrBudget, broken},
	{cert.ErrPathLength, unfit}, {cert.ErrExtension, unfit}, {cert.ErrNameConstraints, unfit}, {cert.ErrPolicy, unfit}, {cert.ErrUse, unfit},
	{cert.ErrRevoked, revoked}, {cert.ErrNotYetValid, early}, {cert.ErrExpired, expired},
	{cert.ErrRevocationUnknown, unknown},
}

func kindOf(err error) kind {
	if err == nil {
		return sound
	}
	for _, k := range linkKinds {
		if errors.Is(err, k.err) {
			return k.kind
		}
	}
	return broken
}

// ofPath is the X.509 validation block (section 5.2.6) with what sections 5.3.4 and 5.5.4 make of its outcome: the path was
// checked for the best signature time, so what is wrong with it was wrong then.
func ofPath(p *cert.Path) (SubIndication, error) {
	if p.Holds() {
		return "", nil
	}
	at, worst := 0, sound
	for i, l := range p.Links {
		if k := kindOf(l.Problem); k > worst {
			at, worst = i, k
		}
	}
	problem := p.Links[at].Problem
	switch worst {
	case sound: // a problem of the whole path
		if kindOf(p.Problem) == unfit {
			return ChainConstraints, p.Problem
		}
		return ChainFailure, p.Problem
	case absent:
		return NoChainFound, problem
	case unsupported:
		return WeakNoPOE, problem
	case unfit:
		return ChainConstraints, problem
	case revoked:
		if at > 0 {
			return RevokedCANoPOE, problem
		}
		return RevokedNoPOE, problem
	case early, expired:
		if r := p.Links[0].Revocation; at == 0 && r != nil && r.Status == cert.Good {
			return OutOfBoundsNotRevoked, problem
		}
		return OutOfBoundsNoPOE, problem
	case unknown:
		return TryLater, problem
	}
	return ChainFailure, problem
}

// retired is when algorithms that are still checked stopped counting; signatures proven to be older hold. SHA-1: NIST SP 800-131A.
// GOST R 34.10-2001: the notice of its regulator that ended its use for signing.
var retired = map[algo.ID]time.Time{
	algo.RSASHA1:  time.Date(2014, time.January, 1, 0, 0, 0, 0, time.UTC),
	algo.GOST2001: time.Date(2020, time.January, 1, 0, 0, 0, 0, time.UTC),
}

// weak reports whether the algorithm did not count any more at the best signature time.
func (f facts) weak() bool {
	a, ok := algo.Lookup(f.algorithm)
	if !ok || !a.Legacy {
		return false
	}
	end, ok := retired[f.algorithm]
	return !ok || !f.best.Before(end)
}
