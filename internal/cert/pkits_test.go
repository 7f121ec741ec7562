// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPKITS runs the NIST path validation test suite (sections 4.1 to 4.16) with all CAs and all CRLs of the suite on offer
// at once, so that path and lists must be found among strangers. The suite is of 2001 and signed with SHA-1, which paths
// in the product never accept.
func TestPKITS(t *testing.T) {
	s := readPKITS(t)
	runs, tests := 0, 0
	for _, section := range slices.Sorted(maps.Keys(pkitsSections)) {
		for i, name := range pkitsSections[section] {
			number := [2]int{section, i + 1}
			if pkitsOutside[number] != "" {
				continue
			}
			tests++
			settings := pkitsSettings[number]
			if settings == nil {
				settings = []pkitsSetting{{valid: strings.HasPrefix(name, "Valid")}}
				if !settings[0].valid && !strings.HasPrefix(name, "Invalid") {
					t.Fatalf("%s: what is expected?", name)
				}
			}
			for _, one := range settings {
				runs++
				reason := ""
				if !one.valid {
					reason = cmp.Or(pkitsReasons[number], pkitsReasons[[2]int{section}])
				}
				s.run(t, fmt.Sprintf("4.%d.%d %s %+v", section, i+1, name, one), s.leaves[name], one, reason)
			}
		}
	}
	t.Logf("%d tests in %d runs, %d tests do not apply: %v", tests, runs, len(pkitsOutside), pkitsOutside)
	if tests != 221 || tests+len(pkitsOutside) != 224 {
		t.Errorf("%d tests", tests)
	}
}

// pkits is the suite.
type pkits struct {
	trust  Trust
	leaves map[string]*Certificate
}

func readPKITS(t *testing.T) *pkits {
	t.Helper()
	dir := os.Getenv("VECTORS")
	if dir == "" {
		dir = "../../../shared/vectors"
	}
	files, _ := filepath.Glob(filepath.Join(dir, "pkits", "certs", "*.crt"))
	if len(files) == 0 {
		t.Skip("221 path validation tests were not run: no pkits folder under VECTORS")
	}
	s := &pkits{leaves: map[string]*Certificate{}, trust: Trust{At: time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)}}
	for _, f := range files {
		der, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Parse(der)
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		switch name := strings.TrimSuffix(filepath.Base(f), ".crt"); {
		case name == "TrustAnchorRootCertificate":
			s.trust.Roots = append(s.trust.Roots, c)
		case strings.HasSuffix(name, "EE"):
			s.leaves[strings.TrimSuffix(name, "EE")] = c
		default:
			s.trust.Intermediates = append(s.trust.Intermediates, c)
		}
	}
	lists, err := ReadLists(filepath.Join(dir, "pkits", "crls"))
	if err != nil || len(lists.Lists()) != 173 {
		t.Fatalf("%d lists, %v", len(lists.Lists()), err)
	}
	s.trust.Source = lists
	return s
}

func (s *pkits) run(t *testing.T, name string, leaf *Certificate, one pkitsSetting, reason string) {
	t.Helper()
	if leaf == nil {
		t.Fatalf("%s: no such certificate", name)
	}
	trust := s.trust
	trust.Policies = Policies{Explicit: one.explicit, InhibitMapping: one.inhibitMapping, InhibitAnyPolicy: one.inhibitAny}
	for _, n := range one.policies {
		trust.Policies.Acceptable = append(trust.Policies.Acceptable, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 2, 1, 48, n})
	}
	if p := trust.Validate(context.Background(), leaf, UseAny); p.Holds() {
		t.Errorf("%s: a SHA-1 signature was accepted", name)
	}
	trust = trust.Bounded(2 * maxChecks)
	trust.budget.verify = withSHA1
	p := trust.Validate(context.Background(), leaf, UseAny)
	var found string
	for _, l := range p.Links {
		found += l.Reason()
	}
	if p.Holds() != one.valid || found != reason {
		t.Errorf("%s: %q instead of %q, %v", name, found, reason, p.Problem)
	}
}

// withSHA1 is verify as it would be with SHA-1 allowed.
func withSHA1(signer *Certificate, s signed) error {
	if !s.algorithm.Algorithm.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 5}) {
		return signer.verify(s)
	}
	if err := signer.X509.CheckSignature(x509.SHA1WithRSA, s.body, s.value); err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return nil
}
