// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"persten/internal/algo"
)

// key makes one key of each kind once: RSA keys are slow to make.
var key = func() func(t testing.TB, kind string) algo.PrivateKey {
	var mu sync.Mutex
	keys := map[string]algo.PrivateKey{}
	return func(t testing.TB, kind string) algo.PrivateKey {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if keys[kind] == nil {
			k, err := algo.GenerateKey(strings.TrimRight(kind, "'"))
			if err != nil {
				t.Fatal(err)
			}
			keys[kind] = k
		}
		return keys[kind]
	}
}()

var kinds = []string{"rsa2048", "p256", "gost256", "gost512"}

func build(t testing.TB, tp Template, issuer *Certificate, k algo.PrivateKey) *Certificate {
	t.Helper()
	c, err := Build(tp, issuer, k)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func root(t testing.TB, kind string) *Certificate {
	return build(t, Template{Subject: Person{CommonName: "Корень " + kind}, Key: key(t, kind).Public(), CA: true, MaxPath: -1}, nil, key(t, kind))
}

var ivanova = Person{
	CommonName: "Демонстрационный Подписант", Surname: "Демонстрационный", GivenName: "Подписант",
	Organization: "ООО «Пример»", Unit: "Бухгалтерия", Title: "Главный бухгалтер", Country: "RU", Region: "77 Москва",
	Locality: "Москва", Street: "ул. Примерная, 1", Email: "ivanova@example.com", SerialNumber: "42",
	INN: "500100732259", INNLE: "7707083893", OGRN: "1027700132195", OGRNIP: "304500116000157", SNILS: "11223344595",
}

// TestBuild issues a leaf of every kind by a CA of every kind, reads it back and finds its path.
func TestBuild(t *testing.T) {
	for _, ca := range kinds {
		r := root(t, ca)
		for _, kind := range kinds {
			end := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
			leaf := build(t, Template{
				Subject: ivanova, Key: key(t, kind).Public(), PrivateKeyUsageTo: end,
				Policies: []asn1.ObjectIdentifier{{1, 2, 643, 100, 113, 1}},
			}, r, key(t, ca))
			if leaf.Subject() != ivanova || leaf.Issuer() != r.Subject() {
				t.Errorf("%s by %s: names\n%+v\n%+v", kind, ca, leaf.Subject(), leaf.Issuer())
			}
			if !leaf.Key.Equal(key(t, kind).Public()) || !leaf.Usage().Documents() || leaf.Usage().CA || !leaf.Usage().ContentCommitment {
				t.Errorf("%s by %s: key or usage %+v", kind, ca, leaf.Usage())
			}
			if _, to, ok := leaf.PrivateKeyUsage(); !ok || !to.Equal(end) {
				t.Errorf("private key usage to %v", to)
			}
			path, err := Trust{Roots: []*Certificate{r}}.Chain(leaf)
			if err != nil || len(path) != 2 || path[1] != r {
				t.Errorf("%s by %s: %v", kind, ca, err)
			}
		}
	}
}

// TestOpenSSLReadsUs lets OpenSSL verify a path of each kind.
func TestOpenSSLReadsUs(t *testing.T) {
	conf := opensslConf(t)
	for _, kind := range kinds {
		dir := t.TempDir()
		r := root(t, kind)
		leaf := build(t, Template{Subject: ivanova, Key: key(t, kind).Public()}, r, key(t, kind))
		for name, c := range map[string]*Certificate{"root.pem": r, "leaf.pem": leaf} {
			b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command("openssl", "verify", "-x509_strict", "-CAfile", filepath.Join(dir, "root.pem"), filepath.Join(dir, "leaf.pem"))
		cmd.Env = append(os.Environ(), "OPENSSL_CONF="+conf)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", kind, err, out)
		}
	}
}

// opensslConf writes a configuration that loads the GOST engine, or skips the test.
func opensslConf(t testing.TB) string {
	t.Helper()
	engines, _ := filepath.Glob("/usr/lib/*/engines-3/gost.so")
	if _, err := exec.LookPath("openssl"); err != nil || len(engines) == 0 {
		t.Skip("openssl with libengine-gost-openssl is not installed; its verification was not run")
	}
	path := filepath.Join(t.TempDir(), "openssl.cnf")
	text := "openssl_conf=a\n[a]\nengines=b\n[b]\ngost=c\n[c]\nengine_id=gost\ndynamic_path=" + engines[0] + "\ndefault_algorithms=ALL\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestChain(t *testing.T) {
	r, other := root(t, "p256"), root(t, "gost256")
	ca := build(t, Template{Subject: Person{CommonName: "CA"}, Key: key(t, "gost256").Public(), CA: true, MaxPath: 0}, r, key(t, "p256"))
	sub := build(t, Template{Subject: Person{CommonName: "Sub"}, Key: key(t, "gost512").Public(), CA: true, MaxPath: 0}, ca, key(t, "gost256"))
	leaf := build(t, Template{Subject: ivanova, Key: key(t, "rsa2048").Public()}, ca, key(t, "gost256"))
	deep := build(t, Template{Subject: ivanova, Key: key(t, "rsa2048").Public()}, sub, key(t, "gost512"))
	byLeaf := build(t, Template{Subject: Person{CommonName: "X"}, Key: key(t, "p256'").Public()}, leaf, key(t, "rsa2048"))
	forged := build(t, Template{Subject: ivanova, Key: key(t, "rsa2048").Public()}, ca, key(t, "gost256'"))
	noSign := build(t, Template{Subject: Person{CommonName: "CA"}, Key: key(t, "gost256").Public(), CA: true, KeyUsage: x509.KeyUsageCRLSign}, r, key(t, "p256"))
	now := time.Now()
	for _, c := range []struct {
		name  string
		leaf  *Certificate
		trust Trust
		want  error // nil: a path is found
		depth int
	}{
		{"through a CA", leaf, Trust{Roots: []*Certificate{r}, Intermediates: []*Certificate{sub, ca}}, nil, 3},
		{"a wrong turn first", leaf, Trust{Roots: []*Certificate{r}, Intermediates: []*Certificate{noSign, leaf, ca}}, nil, 3},
		{"CA as root", leaf, Trust{Roots: []*Certificate{other, ca}}, nil, 2},
		{"itself a root", leaf, Trust{Roots: []*Certificate{leaf}}, nil, 1},
		{"no CA", leaf, Trust{Roots: []*Certificate{r}}, ErrUntrusted, 0},
		{"no root", leaf, Trust{Intermediates: []*Certificate{ca, r}}, ErrUntrusted, 0},
		{"other root", leaf, Trust{Roots: []*Certificate{other}, Intermediates: []*Certificate{ca, r}}, ErrUntrusted, 0},
		{"path length", deep, Trust{Roots: []*Certificate{r}, Intermediates: []*Certificate{ca, sub}}, ErrUntrusted, 0},
		{"issued by a leaf", byLeaf, Trust{Roots: []*Certificate{r}, Intermediates: []*Certificate{ca, leaf}}, ErrSignature, 0},
		{"wrong key", forged, Trust{Roots: []*Certificate{r}, Intermediates: []*Certificate{ca}}, ErrSignature, 0},
		{"CA without certSign", leaf, Trust{Roots: []*Certificate{r}, Intermediates: []*Certificate{noSign}}, ErrSignature, 0},
		{"expired", leaf, Trust{Roots: []*Certificate{ca}, At: now.AddDate(2, 0, 0)}, ErrExpired, 0},
		{"too early", leaf, Trust{Roots: []*Certificate{ca}, At: now.AddDate(-1, 0, 0)}, ErrNotYetValid, 0},
	} {
		path, err := c.trust.Chain(c.leaf)
		if !errors.Is(err, c.want) || len(path) != c.depth || c.want != nil && !errors.Is(err, ErrUntrusted) {
			t.Errorf("%s: %d certificates, %v", c.name, len(path), err)
		}
	}
}

// TestBudget: a crowd of look-alike CAs costs a bounded number of signature checks.
func TestBudget(t *testing.T) {
	r := root(t, "p256")
	subject := Person{CommonName: "CA"}
	var crowd []*Certificate
	for range 3 * maxChecks {
		ca := build(t, Template{Subject: subject, Key: key(t, "p256").Public(), CA: true, MaxPath: -1}, nil, key(t, "p256"))
		ca.X509.SubjectKeyId = nil
		crowd = append(crowd, ca)
	}
	leaf := build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, crowd[0], key(t, "gost512"))
	trust := Trust{Roots: []*Certificate{r}, Intermediates: crowd}.Bounded(40)
	if path, err := trust.Chain(leaf); !errors.Is(err, ErrUntrusted) || trust.budget.left >= 0 || len(trust.budget.done) != 40 {
		t.Errorf("%d certificates, %v, %d checks", len(path), err, len(trust.budget.done))
	}
}

func TestCritical(t *testing.T) {
	r := root(t, "p256")
	leaf := build(t, Template{Subject: ivanova, Key: key(t, "p256").Public()}, r, key(t, "p256"))
	leaf.X509.UnhandledCriticalExtensions = []asn1.ObjectIdentifier{{1, 2, 643, 100, 111}}
	if _, err := (Trust{Roots: []*Certificate{r}}).Chain(leaf); err != nil {
		t.Errorf("critical sign tool: %v", err)
	}
	leaf.X509.UnhandledCriticalExtensions = []asn1.ObjectIdentifier{{1, 2, 3}}
	if _, err := (Trust{Roots: []*Certificate{r}}).Chain(leaf); !errors.Is(err, ErrUntrusted) {
		t.Errorf("unknown critical extension: %v", err)
	}
}

func TestUsage(t *testing.T) {
	client := []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 2}}
	mail := []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 2}, {1, 3, 6, 1, 5, 5, 7, 3, 4}}
	for _, c := range []struct {
		usage      x509.KeyUsage
		extended   []asn1.ObjectIdentifier
		documents  bool
		clientOnly bool
	}{
		{x509.KeyUsageDigitalSignature, nil, true, false},
		{x509.KeyUsageContentCommitment, client, true, false},
		{x509.KeyUsageDigitalSignature, client, false, true},
		{x509.KeyUsageDigitalSignature, mail, true, false},
		{x509.KeyUsageKeyEncipherment, nil, false, false},
		{x509.KeyUsageDecipherOnly, nil, false, false},
	} {
		leaf := build(t, Template{Subject: ivanova, Key: key(t, "p256").Public(), KeyUsage: c.usage, ExtKeyUsage: c.extended}, nil, key(t, "p256"))
		if leaf.X509.KeyUsage != c.usage {
			t.Errorf("usage %b written as %b", c.usage, leaf.X509.KeyUsage)
		}
		if u := leaf.Usage(); u.Documents() != c.documents || u.ClientAuthOnly != c.clientOnly {
			t.Errorf("%b %v: %+v", c.usage, c.extended, u)
		}
	}
}

func TestOldINN(t *testing.T) {
	c := build(t, Template{Subject: Person{CommonName: "X", INN: "007707083893"}, Key: key(t, "p256").Public()}, nil, key(t, "p256"))
	if p := c.Subject(); p.INN != "" || p.INNLE != "7707083893" {
		t.Errorf("%+v", p)
	}
}

func TestNames(t *testing.T) {
	for want, p := range map[string]Person{
		"Демонстрационный Подписант": {Surname: "Демонстрационный", GivenName: "Подписант", CommonName: "ООО"},
		"Общее": {CommonName: "Общее", Organization: "Фирма", Surname: "Демонстрационный"},
		"Фирма": {Organization: "Фирма"},
	} {
		if p.Name() != want {
			t.Errorf("%q, want %q", p.Name(), want)
		}
	}
}

// TestTC26 reads the standard's example certificates and checks their own signatures; they are not CAs by their extensions.
func TestTC26(t *testing.T) {
	for _, name := range []string{"certificate-256.der", "certificate-512.der"} {
		der, err := os.ReadFile("../../testdata/tc26/" + name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		a, ok := algo.CertificateAlgorithm(c.outside.algorithm.Algorithm)
		if !ok {
			t.Fatalf("%s: algorithm %v", name, c.outside.algorithm.Algorithm)
		}
		if err := c.Key.Verify(a.ID, algo.Input{Message: c.X509.RawTBSCertificate}, c.outside.value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.Subject().Email != "GostR3410-2012@example.com" || c.Serial() != "01" || len(c.ID()) != 64 || len(c.Thumbprint()) != 40 {
			t.Errorf("%s: %+v serial %s", name, c.Subject(), c.Serial())
		}
	}
}

func TestParseErrors(t *testing.T) {
	good := root(t, "gost256").Raw
	for name, der := range map[string][]byte{"empty": nil, "half": good[:len(good)/2], "tail": append(slices.Clone(good), 0)} {
		if _, err := Parse(der); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Parse(make([]byte, maxDER+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("large: %v", err)
	}
	off := slices.Clone(good)
	spki := key(t, "gost256").Public().SPKI()
	off[bytes.Index(off, spki)+len(spki)-1] ^= 1
	if _, err := Parse(off); !errors.Is(err, ErrFormat) {
		t.Errorf("key off its curve: %v", err)
	}
}

// russian returns the certificates of accredited CAs, as they are, or skips the test.
func russian(t testing.TB) [][]byte {
	t.Helper()
	dir := os.Getenv("VECTORS")
	if dir == "" {
		dir = "../../../shared/vectors"
	}
	f, err := os.Open(filepath.Join(dir, "ru-ca", "ru-accredited-ca-2403.pem.gz"))
	if err != nil {
		t.Skipf("2403 certificates were not read: %v", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for b, rest := pem.Decode(text); b != nil; b, rest = pem.Decode(rest) {
		all = append(all, b.Bytes)
	}
	return all
}

// TestRussianCAs parses all 2,403 certificates, 33 of which crypto/x509 refuses, and verifies those whose issuer is there.
func TestRussianCAs(t *testing.T) {
	var all []*Certificate
	bySubject := map[string][]*Certificate{}
	refused := 0
	for _, der := range russian(t) {
		if _, err := x509.ParseCertificate(der); err != nil {
			refused++
		}
		c, err := Parse(der)
		if err != nil {
			t.Error(err)
			continue
		}
		all = append(all, c)
		bySubject[string(c.X509.RawSubject)] = append(bySubject[string(c.X509.RawSubject)], c)
	}
	if len(all) != 2403 || refused != 33 {
		t.Errorf("%d parsed, %d refused by crypto/x509", len(all), refused)
	}
	checkAll(t, all, bySubject)
}

// checkAll verifies every certificate against its issuer. Half of them are signed with GOST R 34.10-2001, which is out of use
// and still checked.
func checkAll(t *testing.T, all []*Certificate, bySubject map[string][]*Certificate) {
	old := asn1.ObjectIdentifier{1, 2, 643, 2, 2, 3}
	checked, of2001, strangers, absent, numbers := 0, 0, 0, 0, 0
	for _, c := range all {
		if p := c.Subject(); p.OGRN != "" && (p.INN != "" || p.INNLE != "") {
			numbers++
		}
		err := errors.New("absent")
		parents := bySubject[string(c.X509.RawIssuer)]
		for _, parent := range parents {
			if err = c.CheckSignatureFrom(parent); err == nil {
				break
			}
		}
		switch {
		case err == nil:
			checked++
			if c.outside.algorithm.Algorithm.Equal(old) {
				of2001++
			}
		case len(parents) == 0:
			absent++
		default:
			strangers++
		}
	}
	t.Logf("%d parsed, %d with OGRN and INN; signatures: %d good, %d of them of 2001, %d by a key not in the list, %d by an issuer not in the list",
		len(all), numbers, checked, of2001, strangers, absent)
	if checked != 2401 || of2001 < 1000 || strangers+absent != 2 || numbers < 2000 {
		t.Errorf("%d signatures good, %d of 2001, %d by strangers, %d with numbers", checked, of2001, strangers, numbers)
	}
}

// FuzzParse: an accepted certificate can be described, checked against itself and put on a path.
func FuzzParse(f *testing.F) {
	for _, kind := range kinds {
		r := root(f, kind)
		f.Add(r.Raw)
		leaf, err := Build(Template{Subject: ivanova, Key: key(f, kind).Public(), PrivateKeyUsageTo: time.Now()}, r, key(f, kind))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(leaf.Raw)
		f.Add(build(f, qualified(f, kind), r, key(f, kind)).Raw)
	}
	stranger := root(f, "p256")
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := Parse(der)
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrTooLarge) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if !bytes.Equal(c.Raw, der) || !bytes.Contains(der, c.X509.RawTBSCertificate) {
			t.Fatal("not the bytes that came")
		}
		checkBounds(t, c.Card())
		trust := Trust{Roots: []*Certificate{stranger}, Intermediates: []*Certificate{c}}
		if _, err := trust.Chain(c); (err == nil) == broken(trust.Explain(c)) {
			t.Fatalf("Chain says %v", err)
		}
		if path, err := trust.Chain(c); err == nil && !c.Equal(stranger) && len(path) < 2 {
			t.Fatal("trusted without a path")
		}
	})
}

// checkBounds holds every string and list of a card to its bound.
func checkBounds(t *testing.T, d Card) {
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			if s := v.String(); !utf8.ValidString(s) || utf8.RuneCountInString(s) > maxText {
				t.Fatalf("a string of %d bytes", len(s))
			}
		case reflect.Slice:
			if v.Len() > maxList {
				t.Fatalf("a list of %d", v.Len())
			}
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Struct:
			if v.Type() == reflect.TypeFor[time.Time]() {
				return
			}
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		}
	}
	walk(reflect.ValueOf(d))
}
