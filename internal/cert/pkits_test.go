// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// pkitsCases are the NIST path validation tests (sections 4.1, 4.2, 4.3, 4.6, 4.7, 4.16) that ask nothing about revocation,
// policies or name constraints. DSA is not supported, and names are compared byte for byte, so the tests of white space and
// capitals in names are left out. The suite is of 2001 and signed with SHA-1, which paths in the product never accept.
var pkitsCases = regexp.MustCompile(`^(ValidCertificatePath|Invalid(CA|EE)Signature|(Val|Inval)id.*(notBefore|notAfter)Date|InvalidNameChaining|ValidNameUIDs|` +
	`ValidRFC3280|ValidUTF8StringEncoded|(Val|Inval)id.*([bB]asicConstraints|pathLenConstraint|cAFalse|keyUsage.*keyCertSign|keyUsageNotCriticalTest)|` +
	`(Val|Inval)idUnknown.*CertificateExtension)`)

// TestPKITS builds a path to the suite's one root for every chosen end entity, all CAs of the suite being on offer.
func TestPKITS(t *testing.T) {
	dir := os.Getenv("VECTORS")
	if dir == "" {
		dir = "../../../shared/vectors"
	}
	files, _ := filepath.Glob(filepath.Join(dir, "pkits", "certs", "*.crt"))
	if len(files) == 0 {
		t.Skip("39 path validation tests were not run: no pkits folder under VECTORS")
	}
	trust := Trust{At: time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)}
	leaves := map[string]*Certificate{}
	for _, f := range files {
		der, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Parse(der)
		name := strings.TrimSuffix(filepath.Base(f), ".crt")
		switch {
		case err != nil:
			t.Logf("%s: %v", name, err)
		case name == "TrustAnchorRootCertificate":
			trust.Roots = append(trust.Roots, c)
		case strings.HasSuffix(name, "EE"):
			leaves[name] = c
		default:
			trust.Intermediates = append(trust.Intermediates, c)
		}
	}
	run, reasons := 0, map[string]int{}
	for name, c := range leaves {
		if !pkitsCases.MatchString(name) {
			continue
		}
		run++
		if _, err := trust.Chain(c); err == nil {
			t.Errorf("%s: a SHA-1 signature was accepted", name)
		}
		for _, l := range trust.Explain(c) {
			reasons[l.Reason()]++
		}
		old := trust.Bounded(maxChecks)
		old.budget.verify = withSHA1
		if _, err := old.Chain(c); (err == nil) != strings.HasPrefix(name, "Valid") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if run != 39 || reasons["unsupported"] == 0 {
		t.Errorf("%d tests, reasons %v", run, reasons)
	}
}

// withSHA1 is CheckSignatureFrom as it would be with SHA-1 allowed.
func withSHA1(c, parent *Certificate) error {
	if err := parent.mayIssue(); err != nil {
		return err
	}
	return parent.X509.CheckSignature(c.X509.SignatureAlgorithm, c.X509.RawTBSCertificate, c.signature.value)
}

// TestNameConstraints: a path through a CA with name constraints is refused, since nobody evaluates them.
func TestNameConstraints(t *testing.T) {
	r := root(t, "p256")
	leaf := build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, r, key(t, "p256"))
	r.X509.Extensions = append(r.X509.Extensions, leaf.X509.Extensions[0])
	r.X509.Extensions[len(r.X509.Extensions)-1].Id = oidNameConstraints
	if path, err := (Trust{Roots: []*Certificate{r}}).Chain(leaf); err == nil {
		t.Errorf("%d certificates", len(path))
	}
}
