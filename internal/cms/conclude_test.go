// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
)

func day(n int) time.Time { return time.Date(2026, time.January, n, 12, 0, 0, 0, time.UTC) }

// pathOf is a path of three certificates, valid from day 1 to 20, with the leaf's and the issuer's problem.
func pathOf(leaf, issuer error, r *cert.Revocation) *cert.Path {
	one := func() *cert.Certificate {
		return &cert.Certificate{X509: &x509.Certificate{NotBefore: day(1), NotAfter: day(20)}}
	}
	p := &cert.Path{Links: []cert.Link{
		{Certificate: one(), Problem: leaf, Revocation: r}, {Certificate: one(), Problem: issuer}, {Certificate: one(), Root: true},
	}}
	p.Problem = errors.Join(leaf, issuer)
	return p
}

// TestDecide is the decision table: one row for each way a signature can end.
func TestDecide(t *testing.T) {
	good := &cert.Revocation{Status: cert.Good}
	gone := &cert.RevokedError{At: day(5), Reason: 1}
	whole := pathOf(nil, nil, good)
	whole.Problem = fmt.Errorf("%w: %w", cert.ErrUntrusted, cert.ErrPolicy)
	base := facts{intact: true, now: day(10), best: day(10), algorithm: algo.GOST256}
	with := func(change func(*facts)) facts {
		f := base
		change(&f)
		return f
	}
	problem := func(err error) facts { return with(func(f *facts) { f.problem = fmt.Errorf("%w: more", err) }) }
	for _, c := range []struct {
		name string
		f    facts
		path *cert.Path
		want Indication
		sub  SubIndication
		err  error
	}{
		{"good", base, pathOf(nil, nil, good), TotalPassed, "", nil},
		{"not readable", problem(ErrFormat), nil, TotalFailed, FormatFailure, ErrFormat},
		{"content changed", problem(ErrDigest), pathOf(nil, nil, good), TotalFailed, HashFailure, ErrDigest},
		{"another's signature", problem(ErrSignature), pathOf(nil, nil, good), TotalFailed, CryptoFailure, ErrSignature},
		{"no certificate", problem(ErrNoCertificate), nil, Indeterminate, NoCertificateFound, ErrNoCertificate},
		{"certificate exchanged", problem(ErrSigningCertificate), pathOf(nil, nil, good), Indeterminate, NoCertificateFound, ErrSigningCertificate},
		{"no reference to the certificate", problem(ErrUnreferenced), pathOf(nil, nil, good), Indeterminate, ConstraintsFailure, ErrUnreferenced},
		{"no signed attributes", problem(ErrNoAttributes), pathOf(nil, nil, good), Indeterminate, ConstraintsFailure, ErrNoAttributes},
		{
			"no reference, and broken", with(func(f *facts) { f.problem, f.intact = ErrUnreferenced, false }), pathOf(nil, nil, good),
			TotalFailed, CryptoFailure, ErrUnreferenced,
		},
		{
			"beyond a limit, not looked at", with(func(f *facts) { f.problem, f.intact = tooMany("countersignatures and time-stamps", maxBeside), false }), nil,
			Indeterminate, ConstraintsFailure, ErrLimit,
		},
		{"unknown algorithm", problem(ErrAlgorithm), nil, Indeterminate, WeakNoPOE, ErrAlgorithm},
		{"reference leads nowhere", problem(ErrSignedData), nil, Indeterminate, SignedDataNotFound, ErrSignedData},
		{"stamp of another signature", problem(ErrImprint), pathOf(nil, nil, good), TotalFailed, HashFailure, ErrImprint},
		{"a certificate nobody looked at", base, nil, Indeterminate, NoCertificateFound, ErrNoCertificate},
		{"issuer absent", base, pathOf(cert.ErrIssuerAbsent, nil, nil), Indeterminate, NoChainFound, cert.ErrIssuerAbsent},
		{"root not trusted", base, pathOf(nil, cert.ErrRootUnknown, nil), Indeterminate, NoChainFound, cert.ErrRootUnknown},
		{"issuer's signature wrong", base, pathOf(cert.ErrSignature, nil, nil), Indeterminate, ChainFailure, cert.ErrSignature},
		{"issuer is no CA", base, pathOf(fmt.Errorf("%w: %w", cert.ErrSignature, cert.ErrIssuer), nil, nil), Indeterminate, ChainConstraints, cert.ErrIssuer},
		{"certificate with SHA-1", base, pathOf(algo.ErrUnsupported, nil, nil), Indeterminate, WeakNoPOE, algo.ErrUnsupported},
		{"name constraints", base, pathOf(cert.ErrNameConstraints, nil, good), Indeterminate, ChainConstraints, cert.ErrNameConstraints},
		{"another use", base, pathOf(cert.ErrUse, nil, good), Indeterminate, ChainConstraints, cert.ErrUse},
		{"policies", base, whole, Indeterminate, ChainConstraints, cert.ErrPolicy},
		{"revoked", base, pathOf(gone, nil, nil), Indeterminate, RevokedNoPOE, cert.ErrRevoked},
		{"issuer revoked", base, pathOf(nil, gone, good), Indeterminate, RevokedCANoPOE, cert.ErrRevoked},
		{"expired, nothing known", base, pathOf(cert.ErrExpired, nil, nil), Indeterminate, OutOfBoundsNoPOE, cert.ErrExpired},
		{"expired, not revoked", base, pathOf(cert.ErrExpired, nil, good), Indeterminate, OutOfBoundsNotRevoked, cert.ErrExpired},
		{"issuer expired", base, pathOf(nil, cert.ErrExpired, good), Indeterminate, OutOfBoundsNoPOE, cert.ErrExpired},
		{"nobody tells about revocation", base, pathOf(cert.ErrRevocationUnknown, nil, nil), Indeterminate, TryLater, cert.ErrRevocationUnknown},
		{"revoked, and issuer unknown", base, pathOf(gone, cert.ErrRevocationUnknown, nil), Indeterminate, RevokedNoPOE, cert.ErrRevoked},
		{"expired, and no chain", base, pathOf(errors.Join(cert.ErrExpired, cert.ErrIssuerAbsent), nil, nil), Indeterminate, NoChainFound, cert.ErrIssuerAbsent},
		{"older than its certificate", with(func(f *facts) { f.best, f.stamped = day(1).Add(-time.Hour), true }), pathOf(nil, nil, good), TotalFailed, NotYetValid, ErrBefore},
		{"old algorithm", with(func(f *facts) { f.algorithm = algo.GOST2001 }), pathOf(nil, nil, good), Indeterminate, WeakNoPOE, ErrWeak},
		{"stamp after its authority's end", with(func(f *facts) { f.made, f.now = day(21), day(22) }), pathOf(cert.ErrExpired, nil, nil), TotalFailed, Expired, cert.ErrExpired},
		{"stamp before its authority's begin", with(func(f *facts) { f.made = day(1).Add(-time.Hour) }), pathOf(nil, nil, good), TotalFailed, NotYetValid, cert.ErrNotYetValid},
		{"stamp from the future", with(func(f *facts) { f.made = day(10).Add(time.Hour) }), pathOf(nil, nil, good), Indeterminate, TimestampOrder, ErrFuture},
		{"authority ended since", with(func(f *facts) { f.made = day(3); f.now, f.best = day(21), day(21) }), pathOf(cert.ErrExpired, nil, good), Indeterminate, OutOfBoundsNotRevoked, cert.ErrExpired},
	} {
		got, sub, err := c.f.decide(c.path)
		if got != c.want || sub != c.sub || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: %s/%s, %v; want %s/%s, %v", c.name, got, sub, err, c.want, c.sub, c.err)
		}
	}
}

// TestWeakHoldsWhenOld: an algorithm counts for what is proven to be from its time.
func TestWeakHoldsWhenOld(t *testing.T) {
	old := time.Date(2015, time.May, 1, 0, 0, 0, 0, time.UTC)
	for id, want := range map[algo.ID]bool{algo.GOST2001: false, algo.RSASHA1: true, algo.GOST256: false, algo.RSASHA256: false} {
		f := facts{algorithm: id, best: old, stamped: true}
		if got := f.weak(); got != want {
			t.Errorf("%s in 2015: weak %v, want %v", id, got, want)
		}
	}
}

// TestWorst: a report is as good as its worst signature.
func TestWorst(t *testing.T) {
	report := func(list ...Indication) *Report {
		r := &Report{}
		for _, i := range list {
			r.Signers = append(r.Signers, SignerReport{Conclusion: Conclusion{Indication: i}})
		}
		return r
	}
	for _, c := range []struct {
		r    *Report
		want Indication
	}{
		{report(), Indeterminate}, {report(TotalPassed), TotalPassed}, {report(TotalPassed, Indeterminate), Indeterminate},
		{report(Indeterminate, TotalFailed, TotalPassed), TotalFailed}, {report(""), Indeterminate},
	} {
		if got := c.r.Indication(); got != c.want {
			t.Errorf("%v: %s, want %s", c.r.Signers, got, c.want)
		}
	}
}

// TestTrustedWithoutRevocation: what nobody tells of is trusted as far as the older field goes, and no further.
func TestTrustedWithoutRevocation(t *testing.T) {
	for _, c := range []struct {
		path *cert.Path
		want bool
	}{
		{pathOf(nil, nil, nil), true}, {pathOf(cert.ErrRevocationUnknown, nil, nil), true},
		{pathOf(&cert.RevokedError{}, nil, nil), false}, {pathOf(errors.Join(cert.ErrRevocationUnknown, cert.ErrExpired), nil, nil), false},
	} {
		s := SignerReport{Conclusion: Conclusion{Path: c.path}}
		if s.trust(); s.Trusted != c.want || (s.TrustProblem == nil) != c.want {
			t.Errorf("%v: trusted %v, want %v", c.path.Problem, s.Trusted, c.want)
		}
	}
}

// TestConcludeAsksNobody: without a source and without embedded answers nothing is taken for not revoked.
func TestConcludeAsksNobody(t *testing.T) {
	r := &Report{Signers: []SignerReport{{Valid: true, Intact: true}}}
	r.Conclude(context.Background(), cert.Trust{At: day(2)})
	c := r.Signers[0].Conclusion
	if c.Indication != Indeterminate || c.Sub != NoCertificateFound || !c.Checked.Equal(day(2)) || c.Stamped {
		t.Errorf("%+v", c)
	}
}

// silent is a source that answers nobody until the asker has gone. It counts who asked.
type silent struct{ asked int }

func (s *silent) Revocation(ctx context.Context, _, _ *cert.Certificate) ([]cert.Answer, error) {
	s.asked++
	<-ctx.Done()
	return nil, ctx.Err()
}

func (s *silent) Issuers(ctx context.Context, _ *cert.Certificate) ([]*cert.Certificate, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestConcludeWaits: all signatures, countersignatures and time-stamps of a report share one minute of waiting for sources, and
// each has a conclusion after it: nobody told of revocation.
func TestConcludeWaits(t *testing.T) {
	o := ownerOf(t, "p256")
	at := time.Now()
	synctest.Test(t, func(t *testing.T) {
		one := func() SignerReport {
			return SignerReport{Valid: true, Intact: true, Certificate: o.cert, Algorithm: o.id}
		}
		r := &Report{}
		for range 4 {
			s := one()
			s.Countersignatures = []SignerReport{one(), one()}
			s.TimeStamps = []TimeStamp{{Time: at, Signer: one()}}
			r.Signers = append(r.Signers, s)
		}
		source, trust := &silent{}, o.trust()
		trust.At, trust.Source = at, source
		began := time.Now()
		r.Conclude(t.Context(), trust)
		if took := time.Since(began); took != time.Minute || source.asked == 0 {
			t.Errorf("it took %v, %d questions", took, source.asked)
		}
		late := func(c Conclusion) {
			if c.Indication != Indeterminate || c.Sub != TryLater || !errors.Is(c.Problem, cert.ErrRevocationUnknown) || c.Path == nil {
				t.Errorf("%s/%s: %v", c.Indication, c.Sub, c.Problem)
			}
		}
		for _, s := range r.Signers {
			late(s.Conclusion)
			late(s.Countersignatures[0].Conclusion)
			late(s.Countersignatures[1].Conclusion)
			if c := s.TimeStamps[0].Conclusion; c.Indication != Indeterminate {
				t.Errorf("time-stamp: %s/%s: %v", c.Indication, c.Sub, c.Problem)
			}
		}
		if t.Context().Err() != nil {
			t.Error("the caller's context ended")
		}
	})
}
