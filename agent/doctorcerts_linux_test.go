// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"persten/internal/token/tokentest"
	"persten/proto"
)

// certificateChecks are those whose set-ups are made here.
var certificateChecks = []string{"pins", "certificates", "chains", "revocation", "key_files"}

// issuingCA is a CA of a set-up.
type issuingCA struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// holder is a person's computer with a token: a root, an authority below it, and a certificate with its key on the token. Each
// case changes one thing of it before it is built.
type holder struct {
	*tokentest.Scenario
	t    *testing.T
	dir  string
	env  []string
	site *httptest.Server // where certificates and lists are fetched

	leaf, middle x509.Certificate // what they will say
	rootTrusted  bool
	middleKnown  bool // beside the root; else it is at the site
	noAddress    bool // the certificate does not say where its issuer's is
	revoked      []*big.Int
	listFrom     time.Time
	tokenLines   []string
	keyOptions   string
	noKey        bool
	otherKey     bool
	made         map[string][]byte // what the site serves
	root, issuer issuingCA
	serial       *big.Int
	so           string
}

func newHolder(t *testing.T) *holder {
	t.Helper()
	h := &holder{t: t, dir: t.TempDir(), rootTrusted: true, middleKnown: true, serial: big.NewInt(4711), listFrom: time.Now().Add(-time.Hour), made: map[string][]byte{}}
	h.Scenario, h.so = tokentest.NewScenario(t)
	h.site = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, ok := h.made[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Write(data)
	}))
	t.Cleanup(h.site.Close)
	now := time.Now()
	h.leaf = x509.Certificate{
		SerialNumber: h.serial, Subject: pkix.Name{CommonName: "Демонстрационный Подписант", Country: []string{"RU"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
		CRLDistributionPoints: []string{h.site.URL + "/issuer.crl"},
	}
	h.middle = x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Демонстрационный центр"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(5, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	return h
}

func (h *holder) key() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		h.t.Fatal(err)
	}
	return k
}

func (h *holder) issue(template *x509.Certificate, public crypto.PublicKey, by issuingCA) *x509.Certificate {
	h.t.Helper()
	parent := by.cert
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by.key)
	if err != nil {
		h.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// build makes the certificates, the list, the token and the configuration.
func (h *holder) build() {
	h.t.Helper()
	h.root.key, h.issuer.key = h.key(), h.key()
	top := h.middle
	top.SerialNumber, top.Subject, top.NotAfter = big.NewInt(1), pkix.Name{CommonName: "Демонстрационный корень"}, time.Now().AddDate(9, 0, 0)
	h.root.cert = h.issue(&top, h.root.key.Public(), h.root)
	h.issuer.cert = h.issue(&h.middle, h.issuer.key.Public(), h.root)
	if !h.noAddress {
		h.leaf.IssuingCertificateURL = []string{h.site.URL + "/issuer.cer"}
	}
	h.made["/issuer.cer"] = h.issuer.cert.Raw
	h.list(h.listFrom, h.listFrom.Add(48*time.Hour))
	h.token()
	h.configure()
}

// list makes the revocation list of the authority.
func (h *holder) list(from, to time.Time) {
	h.t.Helper()
	var entries []x509.RevocationListEntry
	for _, n := range h.revoked {
		entries = append(entries, x509.RevocationListEntry{SerialNumber: n, RevocationTime: from})
	}
	crl, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(from.Unix()), ThisUpdate: from, NextUpdate: to, RevokedCertificateEntries: entries}, h.issuer.cert, h.issuer.key)
	if err != nil {
		h.t.Fatal(err)
	}
	h.made["/issuer.crl"] = crl
}

func (h *holder) token() {
	key := h.key()
	c := h.issue(&h.leaf, key.Public(), h.issuer)
	if h.otherKey {
		key = h.key()
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		h.t.Fatal(err)
	}
	h.file(h.Path("key"), pkcs8)
	h.file(h.Path("cert"), c.Raw)
	h.Add("slot 1\nlabel Подпись\nserial 0012")
	if len(h.tokenLines) == 0 {
		h.tokenLines = []string{"pin 12345678"}
	}
	if !strings.Contains(strings.Join(h.tokenLines, " "), "mechanisms") {
		h.Add("mechanisms rsa ec")
	}
	for _, line := range h.tokenLines {
		h.Add("%s", line)
	}
	if !h.noKey {
		h.Add("key %s id=01 %s", h.Path("key"), h.keyOptions)
	}
	h.Add("cert %s id=01", h.Path("cert"))
	h.Save()
}

func (h *holder) file(path string, data []byte) {
	h.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h *holder) configure() {
	roots := filepath.Join(h.dir, "roots")
	other := h.key()
	stranger := h.middle
	stranger.Subject = pkix.Name{CommonName: "Другой корень"}
	h.file(filepath.Join(roots, "other.pem"), certificatePEM(h.issue(&stranger, other.Public(), issuingCA{key: other})))
	if h.rootTrusted {
		h.file(filepath.Join(roots, "root.pem"), certificatePEM(h.root.cert))
	}
	if h.middleKnown {
		h.file(filepath.Join(h.dir, "config/persten/issuers/middle.pem"), certificatePEM(h.issuer.cert))
	}
	h.file(filepath.Join(h.dir, "root.pem"), certificatePEM(h.root.cert))
	h.file(filepath.Join(h.dir, "config.toml"), fmt.Appendf(nil, "[[module]]\nname = \"p11test\"\npath = %q\n[trust]\nroots = [%q]\n[network]\nallow = [\"127.0.0.1\"]\nproxy = \"none\"\n[listen]\nwebsocket = \"off\"\n", h.so, roots))
	for _, name := range []string{"home", "run", "state", "root"} {
		if err := os.MkdirAll(filepath.Join(h.dir, name), 0o700); err != nil {
			h.t.Fatal(err)
		}
	}
	h.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(h.dir, "home"), "XDG_RUNTIME_DIR=" + filepath.Join(h.dir, "run"), "XDG_STATE_HOME=" + filepath.Join(h.dir, "state"),
		"XDG_CONFIG_HOME=" + filepath.Join(h.dir, "config"), "PERSTEN_CONFIG=" + filepath.Join(h.dir, "config.toml"), "PERSTEN_P11_CONFIG=" + h.File, "LC_ALL=en_US.UTF-8", "SOFTHSM2_CONF=/dev/null"}
}

func certificatePEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// doctor runs persten and returns what it found.
func (h *holder) doctor(args ...string) []proto.DoctorFinding {
	h.t.Helper()
	program, err := built()
	if err != nil {
		h.t.Fatal(err)
	}
	cmd := exec.Command(program, append([]string{"doctor", "--json", "--root", filepath.Join(h.dir, "root")}, args...)...)
	cmd.Env = h.env
	var out, bad bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &bad
	cmd.Run() // it fails when there are problems
	var r proto.DoctorFindings
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		h.t.Fatalf("%v\n%s\n%s", err, &out, &bad)
	}
	return slices.DeleteFunc(r.Findings, func(f proto.DoctorFinding) bool { return f.Level == proto.DoctorLevelOK })
}

// keyPeriod is the extension that ends a key's period before its certificate's.
func keyPeriod(to time.Time) pkix.Extension {
	body, err := asn1.Marshal(struct {
		To time.Time `asn1:"tag:1,generalized"`
	}{to.UTC().Truncate(time.Second)})
	if err != nil {
		panic(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 16}, Value: body}
}

// ill is one way in which certificates keep people from signing.
type ill struct {
	name, how, code string
	change          func(h *holder) // before it is built
	after           func(h *holder) // it was built
	about           bool            // the run is about this certificate
	fix             string          // makes it healthy again
}

func tries(left string) func(*holder) {
	return func(h *holder) {
		file := h.Path("tries")
		h.file(file, []byte(left+"\n"))
		h.tokenLines = []string{"pin 12345678", "tries " + file}
	}
}

var ills = []ill{
	{name: "token-locked", how: "the PIN was entered wrong too often", code: "token_locked", change: tries("0")},
	{name: "token-final", how: "one try is left", code: "token_final_try", change: tries("1")},
	{name: "pin-issued", how: "the token's PIN was never changed", code: "pin_issued", change: func(h *holder) { h.tokenLines = []string{"pin 12345678 issued"} }},
	{name: "expired", how: "the certificate ended yesterday", code: "certificate_expired", change: func(h *holder) {
		h.leaf.NotBefore, h.leaf.NotAfter = time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, -1)
	}},
	{name: "early", how: "the certificate begins tomorrow", code: "certificate_not_yet_valid", change: func(h *holder) { h.leaf.NotBefore = time.Now().AddDate(0, 0, 1) }},
	{name: "key-period", how: "the key's period ended, the certificate's did not", code: "certificate_key_expired", change: func(h *holder) {
		h.leaf.NotBefore = time.Now().AddDate(0, -1, 0)
		h.leaf.ExtraExtensions = []pkix.Extension{keyPeriod(time.Now().AddDate(0, 0, -1))}
	}},
	{name: "ends-soon", how: "the certificate ends in five days", code: "certificate_ends_soon", change: func(h *holder) { h.leaf.NotAfter = time.Now().AddDate(0, 0, 5) }},
	{name: "key-ends-soon", how: "the key ends in five days, the certificate in a year", code: "key_ends_soon", change: func(h *holder) {
		h.leaf.ExtraExtensions = []pkix.Extension{keyPeriod(time.Now().AddDate(0, 0, 5))}
	}},
	{name: "no-key", how: "the token holds the certificate alone", code: "key_absent", change: func(h *holder) { h.noKey, h.tokenLines = true, []string{"label Подпись"} }},
	{name: "other-key", how: "the key is of another request", code: "key_mismatch", change: func(h *holder) {
		h.otherKey = true
	}},
	{name: "algorithm", how: "the token knows RSA only, the key is of an elliptic curve", code: "algorithm_unsupported", change: func(h *holder) {
		h.tokenLines = []string{"pin 12345678", "mechanisms rsa"}
	}},
	{name: "no-issuer", how: "the authority's certificate is not here, its address is known", code: "chain_incomplete", change: func(h *holder) { h.middleKnown = false }, fix: "fetch_issuer"},
	{name: "no-issuer-address", how: "the authority's certificate is not here, nor its address", code: "issuer_absent", change: func(h *holder) { h.middleKnown, h.noAddress = false, true }, fix: "import_issuer"},
	{name: "root", how: "the root is not among the trusted ones", code: "root_untrusted", change: func(h *holder) { h.rootTrusted = false },
		after: func(h *holder) {
			h.file(filepath.Join(h.dir, "config/persten/issuers/root.pem"), certificatePEM(h.root.cert))
		}, fix: "import_root"},
	{name: "authority-ended", how: "the authority's certificate ended", code: "chain_broken", change: func(h *holder) {
		h.middle.NotBefore, h.middle.NotAfter = time.Now().AddDate(-2, 0, 0), time.Now().AddDate(0, 0, -1)
	}},
	{name: "revoked", how: "the authority's list names the certificate", code: "certificate_revoked", change: func(h *holder) { h.revoked = []*big.Int{h.serial} }},
	{name: "old-list", how: "the list at hand is out of date, a fresh one is there", code: "crl_stale", change: func(h *holder) { h.listFrom = time.Now().AddDate(0, 0, -9) },
		after: func(h *holder) { h.doctor("revocation") }, fix: "renew_lists"},
	{name: "no-list", how: "the address of the list does not answer", code: "revocation_unknown", after: func(h *holder) { delete(h.made, "/issuer.crl") }},
	{name: "container", how: "a stick with a provider's container, and no token", code: "key_in_container", change: func(h *holder) { h.noKey = true }, after: func(h *holder) {
		h.file(h.File, nil) // no slot
		for _, name := range []string{"name", "header", "primary", "masks", "primary2", "masks2"} {
			h.file(filepath.Join(h.dir, "root/media/user/STICK/podpis.000", name+".key"), []byte("0"))
		}
	}},
	{name: "pfx", how: "a key file was left in Downloads", code: "key_file_found", after: func(h *holder) {
		h.file(filepath.Join(h.dir, "home/Загрузки/подпись [1].pfx"), []byte("0"))
	}},
	{name: "login-only", how: "the certificate is for logging in", code: "certificate_not_for_signing", about: true, change: func(h *holder) {
		qualified(h)
		h.leaf.KeyUsage, h.leaf.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}},
	{name: "not-qualified", how: "the certificate names no class and no signing tool", code: "certificate_not_qualified", about: true},
	{name: "person", how: "the certificate is a natural person's", code: "attorney_needed", about: true, change: func(h *holder) {
		qualified(h)
		h.leaf.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{1, 2, 643, 100, 3}, Value: "11223344595"}}
	}},
}

// qualified gives the certificate the class and the tool that qualified ones name.
func qualified(h *holder) {
	tool, err := asn1.MarshalWithParams("Демонстрационное средство", "utf8")
	if err != nil {
		h.t.Fatal(err)
	}
	h.leaf.PolicyIdentifiers = []asn1.ObjectIdentifier{{1, 2, 643, 100, 113, 1}}
	h.leaf.ExtraExtensions = append(h.leaf.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 643, 100, 111}, Value: tool})
}

// TestDoctorCertificates makes each set-up and wants its own code and no other, and the healthy one to have none.
func TestDoctorCertificates(t *testing.T) {
	t.Run("healthy", func(t *testing.T) {
		h := newHolder(t)
		h.build()
		if list := h.doctor(certificateChecks...); len(list) > 0 {
			t.Errorf("false alarm: %+v", list)
		}
	})
	var table strings.Builder
	table.WriteString(certificateCasesHead)
	for _, one := range ills {
		t.Run(one.name, func(t *testing.T) {
			h := newHolder(t)
			if one.change != nil {
				one.change(h)
			}
			h.build()
			if one.after != nil {
				one.after(h)
			}
			args := certificateChecks
			if one.about {
				args = append([]string{"--certificate", fmt.Sprintf("%x", sha256.Sum256(h.read(h.Path("cert"))))}, args...)
			}
			list := h.doctor(args...)
			if len(list) != 1 || list[0].Code != one.code {
				t.Fatalf("want %s, got %+v", one.code, list)
			}
			if f := list[0]; f.Text.What == "" || f.Text.Next == "" || strings.ContainsAny(f.Text.What+f.Text.Next, "{}") {
				t.Errorf("words: %+v", f.Text)
			}
			fmt.Fprintf(&table, "| %s | %s | `%s` | %s | %s | %s |\n", one.name, one.how, one.code, h.anonymous(list[0].Text.What), h.anonymous(list[0].Text.Next), button(list[0]))
			h.repair(one, list[0])
		})
	}
	if !t.Failed() {
		compareTable(t, table.String())
	}
}

const (
	certificateCases     = "../internal/doctor/CASES-CERTIFICATES.md"
	certificateCasesHead = `# Broken certificates, tokens and keys

Each of these set-ups is made by TestDoctorCertificates in agent, which finds this code and no other; the healthy one has none. Write
the table with: go test ./agent -run TestDoctorCertificates -update-certificates

| case | how it is broken | code | finding | advice | repair |
|---|---|---|---|---|---|
`
)

var updateCertificates = flag.Bool("update-certificates", false, "write "+certificateCases)

// compareTable holds the table to what was found.
func compareTable(t *testing.T, table string) {
	t.Helper()
	if *updateCertificates {
		if err := os.WriteFile(certificateCases, []byte(table), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	was, err := os.ReadFile(certificateCases)
	if err != nil || string(was) != table {
		t.Errorf("%s is not what was found, see its head: %v\n%s", certificateCases, err, table)
	}
}

func button(f proto.DoctorFinding) string {
	if f.Fix == nil {
		return "-"
	}
	return f.Fix.Label
}

var aDay = regexp.MustCompile(`\d{4}-\d\d-\d\d`)

// anonymous leaves out what differs each time.
func (h *holder) anonymous(s string) string {
	return strings.ReplaceAll(aDay.ReplaceAllString(strings.ReplaceAll(s, h.dir, "…"), "DATE"), "|", "\\|")
}

func (h *holder) read(path string) []byte {
	h.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		h.t.Fatal(err)
	}
	return data
}

// repair presses the button of a finding and wants the finding gone.
func (h *holder) repair(one ill, f proto.DoctorFinding) {
	h.t.Helper()
	switch {
	case one.fix == "" && f.Fix == nil:
		return
	case f.Fix == nil || one.fix != "" && f.Fix.ID != one.fix:
		h.t.Fatalf("the repair is %+v, want %q", f.Fix, one.fix)
	case one.fix == "":
		return // it needs a session, or a person
	}
	if one.fix == "renew_lists" {
		h.list(time.Now().Add(-time.Minute), time.Now().Add(time.Hour))
	}
	with := f.Fix.Args
	switch one.fix {
	case "import_root":
		with["file"] = filepath.Join(h.dir, "root.pem")
	case "import_issuer":
		with["file"] = filepath.Join(h.dir, "middle.cer")
		h.file(with["file"], h.issuer.cert.Raw)
	}
	left := h.doctor(append([]string{"--fix", f.Fix.ID}, pairs(with)...)...)
	if one.fix == "import_root" {
		if len(left) != 1 || left[0].Code != "root_confirm" || left[0].Fix.Needs != proto.DoctorNeedConsent || !strings.Contains(left[0].Text.What, strings.ToUpper(f.Fix.Args["fingerprint"][:4])) {
			h.t.Fatalf("the person is not asked: %+v", left)
		}
		if again := h.doctor("chains"); len(again) != 1 {
			h.t.Fatal("the root is trusted before the person agreed")
		}
		left = h.doctor(append([]string{"--fix", left[0].Fix.ID}, pairs(left[0].Fix.Args)...)...)
	}
	if len(left) > 0 {
		h.t.Errorf("after the repair: %+v", left)
	}
	if rest := h.doctor(certificateChecks...); len(rest) > 0 {
		h.t.Errorf("after the repair: %+v", rest)
	}
}

func pairs(with map[string]string) (args []string) {
	for name, value := range with {
		args = append(args, "--with", name+"="+value)
	}
	return args
}
