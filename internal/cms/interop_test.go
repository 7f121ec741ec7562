// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"persten/internal/algo"
	"persten/internal/cert"
)

var update = flag.Bool("update", false, "write INTEROP.md")

// peerKind is a row of INTEROP.md: a kind of key as OpenSSL makes it, and what OpenSSL is told to sign with it.
type peerKind struct {
	name    string
	genpkey []string
	md      string   // of certificates, lists and messages
	sign    []string // further options of cms -sign
	id      algo.ID
}

func gost(bits, set string) []string {
	return []string{"-algorithm", "gost2012_" + bits, "-pkeyopt", "paramset:" + set}
}

func curve(name string) []string {
	return []string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + name, "-pkeyopt", "ec_param_enc:named_curve"}
}

var rsaKey = []string{"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"}

var peers = []peerKind{
	{"RSA PKCS#1 v1.5", rsaKey, "sha256", nil, algo.RSASHA256},
	{"RSA-PSS", rsaKey, "sha256", []string{"-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:digest"}, algo.RSAPSSSHA256},
	{"ECDSA P-256", curve("P-256"), "sha256", nil, algo.ECDSASHA256},
	{"ECDSA P-384", curve("P-384"), "sha384", nil, algo.ECDSASHA384},
	{"GOST 256, CryptoPro-A", gost("256", "A"), "md_gost12_256", nil, algo.GOST256},
	{"GOST 256, CryptoPro-B", gost("256", "B"), "md_gost12_256", nil, algo.GOST256},
	{"GOST 256, CryptoPro-C", gost("256", "C"), "md_gost12_256", nil, algo.GOST256},
	{"GOST 256, TC26-A", gost("256", "TCA"), "md_gost12_256", nil, algo.GOST256},
	{"GOST 512, TC26-A", gost("512", "A"), "md_gost12_512", nil, algo.GOST512},
	{"GOST 512, TC26-B", gost("512", "B"), "md_gost12_512", nil, algo.GOST512},
	{"GOST 512, TC26-C", gost("512", "C"), "md_gost12_512", nil, algo.GOST512},
}

// peer is OpenSSL as CA, time-stamping authority, signer and verifier with one kind of key.
type peer struct {
	*openssl
	kind  peerKind
	owner *owner
}

func (p *peer) must(args ...string) string {
	p.t.Helper()
	out, err := p.Try(args...)
	if err != nil {
		p.t.Fatalf("openssl %s: %s", strings.Join(args, " "), out)
	}
	return out
}

func (p *peer) read(name string) []byte {
	p.t.Helper()
	b, err := os.ReadFile(p.Path(name))
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

func newPeer(t *testing.T, k peerKind) *peer {
	t.Helper()
	p := &peer{openssl: newOpenSSL(t), kind: k}
	p.Write("req.cnf", []byte("[req]\ndistinguished_name=dn\n[dn]\n[ca]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n"+
		"[leaf]\nkeyUsage=critical,digitalSignature,nonRepudiation\nsubjectKeyIdentifier=hash\n"+
		"[tsa]\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\nsubjectKeyIdentifier=hash\n"))
	p.Write("tsa.cnf", []byte("[tsa]\ndefault_tsa=t\n[t]\nserial="+p.Path("serial")+"\nsigner_digest="+k.md+"\ndefault_policy=1.2.3.4.1\ndigests=sha256,sha384,sha512,md_gost12_256,md_gost12_512\n"+
		"accuracy=secs:1,millisecs:500\ness_cert_id_chain=no\ness_cert_id_alg=sha256\n"))
	p.Write("serial", []byte("01\n"))
	for _, name := range []string{"root", "key", "second", "tsa"} {
		p.must(append([]string{"genpkey", "-out", name + "-key.pem"}, k.genpkey...)...)
	}
	p.must("req", "-x509", "-new", "-key", "root-key.pem", "-"+k.md, "-subj", "/CN=Root", "-days", "30", "-config", "req.cnf", "-extensions", "ca", "-out", "root.pem")
	for name, ext := range map[string]string{"key": "leaf", "second": "leaf", "tsa": "tsa"} {
		p.must("req", "-new", "-key", name+"-key.pem", "-"+k.md, "-subj", "/CN="+name, "-config", "req.cnf", "-out", name+".csr")
		p.must("x509", "-req", "-in", name+".csr", "-CA", "root.pem", "-CAkey", "root-key.pem", "-CAcreateserial", "-"+k.md, "-days", "20",
			"-extfile", "req.cnf", "-extensions", ext, "-out", name+".pem")
	}
	p.owner = &owner{key: p.key("key"), cert: p.cert("key"), root: p.cert("root"), id: k.id}
	return p
}

func (p *peer) cert(name string) *cert.Certificate {
	p.t.Helper()
	block, _ := pem.Decode(p.read(name + ".pem"))
	c, err := cert.Parse(block.Bytes)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

func (p *peer) key(name string) algo.PrivateKey {
	p.t.Helper()
	block, _ := pem.Decode(p.read(name + "-key.pem"))
	k, err := algo.ParsePKCS8(block.Bytes)
	if err != nil {
		p.t.Fatal(err)
	}
	return k
}

// opensslDigests are the names of digests there.
var opensslDigests = map[algo.Digest]string{
	algo.SHA256: "sha256", algo.SHA384: "sha384", algo.SHA512: "sha512", algo.Streebog256: "md_gost12_256", algo.Streebog512: "md_gost12_512",
}

// Stamp implements Stamper with openssl ts.
func (p *peer) Stamp(_ context.Context, d algo.Digest, imprint []byte) ([]byte, error) {
	p.must("ts", "-query", "-digest", hex.EncodeToString(imprint), "-"+opensslDigests[d], "-cert", "-out", "query")
	os.Remove(p.Path("token"))
	out, _ := p.Try("ts", "-reply", "-config", p.Path("tsa.cnf"), "-queryfile", "query", "-signer", "tsa.pem", "-inkey", "tsa-key.pem", "-token_out", "-out", "token")
	token, err := os.ReadFile(p.Path("token"))
	if err != nil {
		return nil, fmt.Errorf("openssl ts: %s", out)
	}
	return token, nil
}

// accepts asks OpenSSL about a file: the CAdES signatures in it, and the first signer's time-stamp.
func (p *peer) accepts(sig []byte, attached bool) error {
	p.Write("sig", sig)
	seen, out, ok := p.verifies(attached)
	if !ok || !bytes.Equal(seen, document) {
		return errors.New(out)
	}
	rep, err := Verify(context.Background(), bytes.NewReader(sig), readerOrNil(document), p.owner.trust())
	if err != nil {
		return err
	}
	for _, s := range rep.Signers {
		for _, ts := range s.TimeStamps {
			if err := p.acceptsStamp(ts); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *peer) acceptsStamp(ts TimeStamp) error {
	p.Write("token", ts.Raw)
	out, err := p.Try("ts", "-verify", "-token_in", "-in", "token", "-digest", hex.EncodeToString(ts.Imprint), "-CAfile", "root.pem")
	if err != nil || !strings.Contains(out, "Verification: OK") {
		return fmt.Errorf("openssl ts -verify: %s", out)
	}
	return nil
}

// ours makes a file here and has both programs look at it.
func (p *peer) ours(attached bool, o Options, more func(sig []byte) []byte) error {
	o.Attached = attached
	if o.Profile == ProfileT {
		o.Stamper = p
	}
	sig := sign(p.t, p.owner, document, o)
	if more != nil {
		sig = more(sig)
	}
	content := document
	if attached {
		content = nil
	}
	rep := check(p.t, sig, content, p.owner.trust())
	if !rep.Trusted() {
		return fmt.Errorf("refused here: %+v", rep.Signers)
	}
	for _, s := range rep.Signers {
		if len(s.Unread) != 0 || (s.Format == FormatCAdEST) != (len(s.TimeStamps) == 1) {
			return fmt.Errorf("%+v", s)
		}
	}
	return p.accepts(sig, attached)
}

// theirs has OpenSSL make a file, which is then checked here.
func (p *peer) theirs(want error, signers int, args ...string) error {
	p.Write("content", document)
	base := []string{"cms", "-sign", "-binary", "-in", "content", "-signer", "key.pem", "-inkey", "key-key.pem", "-md", p.kind.md, "-outform", "DER", "-out", "made"}
	out, err := p.Try(append(append(base, p.kind.sign...), args...)...)
	switch {
	case err != nil && p.kind.id == algo.RSAPSSSHA256 && strings.Contains(out, "illegal zero content"):
		return errNotMade
	case err != nil:
		return errors.New(out)
	}
	return p.holds("made", want, signers)
}

// errNotMade: OpenSSL 3.0 cannot stream with RSASSA-PSS, because it writes the identifier before it has the parameters.
var errNotMade = errors.New("OpenSSL does not make this")

func (p *peer) holds(name string, want error, signers int) error {
	sig := p.read(name)
	content := document
	if bytes.Contains(sig, document) {
		content = nil
	}
	trust := p.owner.trust()
	trust.Intermediates = []*cert.Certificate{p.owner.cert} // for -nocerts
	rep, err := Verify(context.Background(), bytes.NewReader(sig), readerOrNil(content), trust)
	if err != nil {
		return err
	}
	if len(rep.Signers) != signers {
		return fmt.Errorf("%d signers", len(rep.Signers))
	}
	for _, s := range rep.Signers {
		if !s.Intact || !errors.Is(s.Problem, want) || !s.Trusted {
			return fmt.Errorf("%v, %v", s.Problem, s.TrustProblem)
		}
	}
	return nil
}

// interop are the columns of INTEROP.md.
var interop = []struct {
	name string
	run  func(p *peer) error
}{
	{"BES, detached", func(p *peer) error { return p.ours(false, Options{}, nil) }},
	{"BES, attached", func(p *peer) error { return p.ours(true, Options{}, nil) }},
	{"T, detached", func(p *peer) error { return p.ours(false, Options{Profile: ProfileT}, nil) }},
	{"T, attached", func(p *peer) error { return p.ours(true, Options{Profile: ProfileT}, nil) }},
	{"EPES, all attributes", func(p *peer) error { return p.ours(false, everything, nil) }},
	{"added", func(p *peer) error { return p.ours(true, Options{Profile: ProfileT}, p.added) }},
	{"extended", func(p *peer) error { return p.ours(false, Options{}, p.extended) }},
	{"countersigned", func(p *peer) error { return p.ours(true, Options{}, p.countersigned) }},
	{"-cades", func(p *peer) error { return p.theirs(nil, 1, "-cades") }},
	{"-cades -nodetach", func(p *peer) error { return p.theirs(nil, 1, "-cades", "-nodetach") }},
	{"-stream", func(p *peer) error { return p.theirs(nil, 1, "-cades", "-nodetach", "-stream") }},
	{"-keyid -nocerts", func(p *peer) error { return p.theirs(nil, 1, "-cades", "-keyid", "-nocerts") }},
	{"PEM", func(p *peer) error { return p.theirs(nil, 1, "-cades", "-outform", "PEM") }},
	{"two signers", func(p *peer) error {
		return p.theirs(nil, 2, append([]string{"-cades", "-nodetach", "-signer", "second.pem", "-inkey", "second-key.pem"}, p.kind.sign...)...)
	}},
	{"-resign", (*peer).resigned},
	{"plain", func(p *peer) error { return p.theirs(ErrUnreferenced, 1) }},
	{"-noattr", func(p *peer) error { return p.theirs(ErrNoAttributes, 1, "-noattr") }},
}

var everything = Options{
	FileName: "приказ.txt", MIMEType: "text/plain", DocumentName: "Приказ № 1.txt", Commitment: CommitApproval, Location: &Location{Country: "RU", Locality: "Тверь"},
	Policy: &Policy{ID: "1.2.643.1.2.3", Digest: algo.Streebog256, Value: algo.Streebog256.Sum(document), URI: "https://policy.example/1"},
}

func (p *peer) added(sig []byte) []byte {
	second := &owner{key: p.key("second"), cert: p.cert("second"), root: p.owner.root, id: p.kind.id}
	return add(p.t, sig, nil, second, Options{})
}

func (p *peer) countersigned(sig []byte) []byte {
	second := &owner{key: p.key("second"), cert: p.cert("second"), root: p.owner.root, id: p.kind.id}
	return countersign(p.t, sig, 0, second, Options{})
}

func (p *peer) extended(sig []byte) []byte {
	var w bytes.Buffer
	if err := Extend(p.t.Context(), &w, bytes.NewReader(sig), p); err != nil {
		p.t.Fatal(err)
	}
	return w.Bytes()
}

// resigned has OpenSSL add a signer to our file, and us one to theirs. OpenSSL's own signer is never an RSA-PSS one: see errNotMade.
func (p *peer) resigned() error {
	p.Write("made", sign(p.t, p.owner, document, Options{Attached: true}))
	p.must("cms", "-resign", "-cades", "-in", "made", "-inform", "DER", "-signer", "second.pem", "-inkey", "second-key.pem", "-md", p.kind.md,
		"-outform", "DER", "-out", "again")
	if err := p.holds("again", nil, 2); err != nil {
		return err
	}
	if err := p.accepts(add(p.t, p.read("again"), nil, p.owner, Options{}), true); err != nil {
		return err
	}
	return p.accepts(p.extended(p.read("again")), true)
}

// gnutls has certtool look at a detached BES and a T signature. Where it refuses OpenSSL's own file too, the kind of key is beyond it.
func (p *peer) gnutls() string {
	program, err := exec.LookPath("certtool")
	if err != nil {
		return "not run"
	}
	accepts := func(sig []byte) (string, bool) {
		p.Write("sig", sig)
		cmd := exec.Command(program, "--p7-verify", "--inder", "--load-ca-certificate", "root.pem", "--load-data", "content", "--infile", "sig")
		cmd.Dir = p.Path("")
		out, err := cmd.CombinedOutput()
		return string(out), err == nil
	}
	for _, o := range []Options{{}, {Profile: ProfileT, Stamper: p}} {
		out, ok := accepts(sign(p.t, p.owner, document, o))
		if ok {
			continue
		}
		if err := p.theirs(nil, 1, "-cades"); err != nil {
			p.t.Error(err)
		}
		if _, ok := accepts(p.read("made")); !ok {
			return "–"
		}
		p.t.Errorf("certtool: %s", out)
		return "no"
	}
	return "ok"
}

// pkijsKinds are what pkijs calls the keys and digests it knows.
var pkijsKinds = map[algo.ID][2]string{
	algo.RSASHA256: {"SHA-256", "pkcs1"}, algo.RSAPSSSHA256: {"SHA-256", "pss"}, algo.ECDSASHA256: {"SHA-256", "ecdsa"}, algo.ECDSASHA384: {"SHA-384", "ecdsa"},
}

// pkijs has the npm package pkijs check our BES and T signatures, attached and detached, and refuse them over other content, and checks
// here what it makes.
func (p *peer) pkijs() string {
	folder, err := filepath.Abs("../../testdata/pkijs")
	if err != nil {
		p.t.Fatal(err)
	}
	kind, ok := pkijsKinds[p.kind.id]
	if !ok {
		return "–"
	}
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "pkijs")); err != nil {
		return "not run"
	}
	if out, err := exec.Command("node", filepath.Join(folder, "node.mjs")).CombinedOutput(); err != nil {
		p.t.Logf("pkijs was not run: %v: %s", err, out)
		return "not run"
	}
	run := func(args ...string) (string, bool) {
		cmd := exec.Command("node", append([]string{filepath.Join(folder, "cms.mjs")}, args...)...)
		cmd.Dir = p.Path("")
		out, err := cmd.CombinedOutput()
		return string(out), err == nil
	}
	p.Write("other", append([]byte("x"), document...))
	for _, where := range []string{"attached", "detached"} {
		content := map[string]string{"detached": "content"}[where]
		for _, o := range []Options{{}, {Profile: ProfileT, Stamper: p}} {
			o.Attached = where == "attached"
			p.Write("sig", sign(p.t, p.owner, document, o))
			if out, ok := run("verify", "sig", content, "root.pem"); !ok {
				p.t.Errorf("pkijs, %s %s: %s", where, o.Profile, out)
				return "no"
			}
			if _, ok := run("verify", "sig", "other", "root.pem"); ok && !o.Attached {
				p.t.Error("pkijs accepts other content")
				return "no"
			}
		}
		if out, ok := run("sign", "made", "content", "key.pem", "key-key.pem", kind[0], kind[1], where); !ok {
			p.t.Errorf("pkijs does not sign: %s", out)
			return "no"
		}
		if err := p.holds("made", nil, 1); err != nil {
			p.t.Errorf("made by pkijs, %s: %v", where, err)
			return "no"
		}
	}
	return "ok"
}

// TestInterop is the matrix of INTEROP.md: 11 kinds of key by what both programs do with each other's files. -update writes it.
func TestInterop(t *testing.T) {
	newOpenSSL(t)
	var b strings.Builder
	b.WriteString("# Interoperability of CMS signatures\n\n" +
		"Written by `go test ./internal/cms -run TestInterop -update`; do not edit.\n\n" +
		"OpenSSL with its GOST engine is CA, time-stamping authority, signer and verifier. `ok`: both programs accept the file; of a T\n" +
		"signature `openssl ts -verify` accepts the time-stamp as well. The first eight columns are files made here, the others are made by\n" +
		"`openssl cms -sign` with the options named, or by `-resign` over a file made here, to which a signer and time-stamps are added here. Plain\n" +
		"files and those without signed attributes are no CAdES: they are reported as intact, and for what is missing as not valid.\n" +
		"GnuTLS is `certtool --p7-verify` over BES and T. pkijs is the npm package: it checks BES and T made here, and BES it makes is checked\n" +
		"here, attached and detached. `–`: GnuTLS refuses what OpenSSL makes with this kind of key, too; pkijs has no GOST; OpenSSL 3.0\n" +
		"cannot stream with RSA-PSS, and resigns with PKCS#1 in its place.\n\n")
	names := []string{"Key"}
	for _, c := range interop {
		names = append(names, c.name)
	}
	b.WriteString("| " + strings.Join(append(names, "GnuTLS", "pkijs"), " | ") + " |\n|" + strings.Repeat("---|", len(names)+2) + "\n")
	checks := 0
	for _, kind := range peers {
		t.Run(kind.name, func(t *testing.T) {
			p := newPeer(t, kind)
			p.Write("content", document)
			cells := []string{kind.name}
			for _, c := range interop {
				cell := "ok"
				switch err := c.run(p); {
				case errors.Is(err, errNotMade):
					cell = "–"
				case err != nil:
					cell = "no"
					t.Errorf("%s: %v", c.name, err)
				default:
					checks++
				}
				cells = append(cells, cell)
			}
			b.WriteString("| " + strings.Join(append(cells, p.gnutls(), p.pkijs()), " | ") + " |\n")
		})
	}
	if t.Failed() {
		t.Log("no comparison with INTEROP.md, and no update of it, after failures")
		return
	}
	fmt.Fprintf(&b, "\n%d checks, 0 exceptions.\n", checks)
	if *update {
		if err := os.WriteFile("INTEROP.md", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile("INTEROP.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	for i, line := range strings.Split(string(want), "\n") {
		if i >= len(lines) || !sameCells(line, lines[i]) {
			t.Errorf("line %d differs: %s", i+1, line)
		}
	}
}

// sameCells compares a line of the table with one just made, but for what was not run.
func sameCells(want, got string) bool {
	a, b := strings.Split(want, " | "), strings.Split(got, " | ")
	return slices.EqualFunc(a, b, func(want, got string) bool { return want == got || strings.TrimSuffix(got, " |") == "not run" })
}
