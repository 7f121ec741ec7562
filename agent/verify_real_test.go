// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/xmldsig"
	"persten/proto"
)

// verifying is a person's machine with one authority's root.
type verifying struct {
	*authority
	t *testing.T
}

func newVerifying(t *testing.T, digest string, key ...string) *verifying {
	a := newAuthority(t, digest, key...)
	for name, dir := range map[string]string{"HOME": "home", "XDG_CONFIG_HOME": "config", "XDG_STATE_HOME": "state", "XDG_RUNTIME_DIR": "run"} {
		t.Setenv(name, a.Path(dir))
		if err := os.MkdirAll(a.Path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("LC_ALL", "C.UTF-8")
	t.Setenv("PERSTEN_CONFIG", a.Path("config.toml"))
	for _, unset := range []string{"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "PERSTEN_SOCKET"} {
		t.Setenv(unset, "")
	}
	a.write("config.toml", "[network]\nproxy = \"none\"\nallow = [\"127.0.0.1\"]\n")
	a.write("doc.txt", "Contract 17. The sum is 1000.\n")
	return &verifying{a, t}
}

// persten runs a command in this process.
func (v *verifying) persten(args ...string) (stdout, stderr string, code int) {
	var out, errOut bytes.Buffer
	code = run(args, strings.NewReader(""), &out, &errOut)
	return out.String(), errOut.String(), code
}

// verify checks a signature of doc.txt and returns the report.
func (v *verifying) verify(file string, more ...string) (*proto.Report, int) {
	v.t.Helper()
	content := "doc.txt"
	if len(more) > 0 && strings.HasSuffix(more[0], ".txt") {
		content, more = more[0], more[1:]
	}
	args := append([]string{"verify", v.Path(file), "--content", v.Path(content), "--roots", v.Path("root.pem"), "--json"}, more...)
	out, errOut, code := v.persten(args...)
	var r proto.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		v.t.Fatalf("%s: %v: %s%s", file, err, out, errOut)
	}
	if err := r.Validate(); err != nil {
		v.t.Errorf("%s: the report does not fit the protocol: %v", file, err)
	}
	return &r, code
}

// stamped gives SIGNATURE a time-stamp by an authority of that name and writes it to out.
func (v *verifying) stamped(signature, tsa, out string) {
	v.t.Helper()
	var b bytes.Buffer
	if err := cms.Extend(context.Background(), &b, bytes.NewReader(v.Read(signature)), opensslTSA{v.authority, tsa}); err != nil {
		v.t.Fatal(err)
	}
	v.write(out, b.String())
}

func (v *verifying) expect(what string, r *proto.Report, code int, want string) {
	v.t.Helper()
	s := r.Signers[0]
	got := string(s.Indication)
	if s.SubIndication != "" {
		got += "/" + string(s.SubIndication)
	}
	exit := map[proto.Indication]int{"TOTAL_PASSED": exitOK, "TOTAL_FAILED": exitFailed, "INDETERMINATE": exitUnsure}[s.Indication]
	if got != want || code != exit || r.Indication != s.Indication {
		v.t.Errorf("%s: %s (report %s), exit %d; want %s, exit %d; %s", what, got, r.Indication, code, want, exit, s.Text)
	}
	if (s.Indication == "TOTAL_PASSED") != (s.Text == "" && s.Next == "" && s.Code == "") {
		v.t.Errorf("%s: words %q %q %q do not fit", what, s.Code, s.Text, s.Next)
	}
}

// TestVerifyReal: signatures, lists, OCSP answers and time-stamps by OpenSSL, each way a signature can go wrong with its own
// sub-indication.
func TestVerifyReal(t *testing.T) {
	kinds := map[string][]string{
		"rsa":  {"sha256", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"},
		"gost": {"md_gost12_256", "-algorithm", "gost2012_256", "-pkeyopt", "paramset:TCA"},
	}
	for kind, args := range kinds {
		t.Run(kind, func(t *testing.T) {
			v := newVerifying(t, args[0], args[1:]...)
			v.issue("root", "tsa", "tsacert")
			v.issue("root", "signer", "signer")
			v.list("root")
			v.good()
			v.formFaults()
			v.revocation()
			v.tsaFaults()
			if kind == "rsa" { // signatures of one length, so that files can be spliced
				v.spliced()
			}
		})
	}
}

func (v *verifying) good() {
	v.sign("signer", "bes.p7s", "-cades")
	v.stamped("bes.p7s", "tsa", "t.p7s")
	r, code := v.verify("bes.p7s")
	v.expect("BES", r, code, "TOTAL_PASSED")
	r, code = v.verify("t.p7s")
	v.expect("T", r, code, "TOTAL_PASSED")
	s := r.Signers[0]
	if s.BestTime == nil || s.BestTime.From != "timestamp" || len(s.Timestamps) != 1 || s.Timestamps[0].Indication != "TOTAL_PASSED" {
		v.t.Errorf("T: best time %+v, stamps %+v", s.BestTime, s.Timestamps)
	}
	if l := s.Chain[0].Revocation; l == nil || l.Status != "good" || l.Source != "crl" || l.From != v.server.URL+"/root.crl" || l.ThisUpdate.IsZero() {
		v.t.Errorf("status, source and time of the signer's certificate: %+v", l)
	}
	v.issue("root", "asked", "ocspsigner")
	v.sign("asked", "ocsp.p7s", "-cades")
	r, code = v.verify("ocsp.p7s")
	v.expect("OCSP", r, code, "TOTAL_PASSED")
	if l := r.Signers[0].Chain[0].Revocation; l == nil || l.Source != "ocsp" || l.From != v.server.URL+"/ocsp" {
		v.t.Errorf("OCSP: %+v", l)
	}
}

// formFaults are those of the signature and the content.
func (v *verifying) formFaults() {
	v.write("short.txt", string(v.Read("doc.txt")[:20]))
	r, code := v.verify("bes.p7s", "short.txt")
	v.expect("content cut short", r, code, "TOTAL_FAILED/HASH_FAILURE")
	v.sign("signer", "plain.p7s")
	r, code = v.verify("plain.p7s")
	v.expect("no signing-certificate attribute", r, code, "INDETERMINATE/SIG_CONSTRAINTS_FAILURE")
	sig := v.Read("bes.p7s")
	sig[len(sig)-1] ^= 1
	v.write("flipped.p7s", string(sig))
	r, code = v.verify("flipped.p7s")
	v.expect("signature value changed", r, code, "TOTAL_FAILED/SIG_CRYPTO_FAILURE")
	v.sign("signer", "nocerts.p7s", "-cades", "-nocerts")
	r, code = v.verify("nocerts.p7s")
	v.expect("no certificate", r, code, "INDETERMINATE/NO_SIGNING_CERTIFICATE_FOUND")
	out, _, code := v.persten("verify", v.Path("bes.p7s"), "--content", v.Path("doc.txt"), "--offline")
	if code != exitUnsure || !strings.Contains(out, "INDETERMINATE / NO_CERTIFICATE_CHAIN_FOUND") {
		v.t.Errorf("without the root: exit %d\n%s", code, out)
	}
}

// revocation: before and after the time-stamp, of the issuer, and when nobody tells.
func (v *verifying) revocation() {
	for _, name := range []string{"early", "late", "never"} {
		v.issue("root", name, "signer")
		v.sign(name, name+".p7s", "-cades")
	}
	v.stamped("late.p7s", "tsa", "late-t.p7s")
	time.Sleep(1100 * time.Millisecond) // revocation dates are whole seconds
	v.revoke("root", "early", "keyCompromise")
	v.revoke("root", "late", "superseded")
	time.Sleep(1100 * time.Millisecond)
	v.stamped("early.p7s", "tsa", "early-t.p7s")
	v.forget()
	r, code := v.verify("late-t.p7s")
	v.expect("revoked after the time-stamp", r, code, "TOTAL_PASSED")
	if l := r.Signers[0].Chain[0].Revocation; l == nil || l.Status != "good" || l.RevokedAt.IsZero() || l.Reason != "superseded" {
		v.t.Errorf("revoked after the time-stamp: %+v", l)
	}
	r, code = v.verify("late.p7s")
	v.expect("revoked, without a time-stamp", r, code, "INDETERMINATE/REVOKED_NO_POE")
	r, code = v.verify("early-t.p7s")
	v.expect("revoked before the time-stamp", r, code, "INDETERMINATE/REVOKED_NO_POE")
	if l := r.Signers[0].Chain[0].Revocation; l == nil || l.Status != "revoked" || l.Reason != "keyCompromise" || r.Signers[0].BestTime.From != "timestamp" {
		v.t.Errorf("revoked before the time-stamp: %+v %+v", l, r.Signers[0].BestTime)
	}
	r, code = v.verify("never.p7s")
	v.expect("never revoked", r, code, "TOTAL_PASSED")

	asked := v.requests()
	r, code = v.verify("never.p7s", "--offline")
	v.expect("offline, from the cache", r, code, "TOTAL_PASSED")
	v.forget()
	r, code = v.verify("never.p7s", "--offline")
	v.expect("offline, nothing kept", r, code, "INDETERMINATE/TRY_LATER")
	r, code = v.verify("never.p7s", "--offline", "--crl", v.Path("root.crl"))
	v.expect("offline, list in a file", r, code, "TOTAL_PASSED")
	if n := v.requests(); n != asked {
		v.t.Errorf("offline, and the authority was asked %d times", n-asked)
	}
	v.silence(true)
	r, code = v.verify("never.p7s")
	v.expect("the authority is silent", r, code, "INDETERMINATE/TRY_LATER")
	v.silence(false)
	v.issue("root", "silent", "silent")
	v.sign("silent", "silent.p7s", "-cades")
	r, code = v.verify("silent.p7s", "--offline")
	v.expect("a certificate that names nobody", r, code, "INDETERMINATE/TRY_LATER")

	v.issue("root", "sub", "sub")
	v.config("sub")
	v.issue("sub", "below", "signer")
	v.list("sub")
	v.sign("below", "below.p7s", "-cades", "-certfile", v.Path("sub.pem"))
	r, code = v.verify("below.p7s")
	v.expect("below an intermediate", r, code, "TOTAL_PASSED")
	v.revoke("root", "sub", "cACompromise")
	v.forget()
	r, code = v.verify("below.p7s")
	v.expect("the intermediate is revoked", r, code, "INDETERMINATE/REVOKED_CA_NO_POE")
}

// tsaFaults: what an authority's certificate can be like.
func (v *verifying) tsaFaults() {
	now := time.Now()
	at := now.Add(48 * time.Hour).UTC().Format(time.RFC3339)
	v.issue("root", "ended", "tsacert", "-startdate", opensslTime(now.Add(-72*time.Hour)), "-enddate", opensslTime(now.Add(-24*time.Hour)))
	v.issue("root", "ending", "tsacert", "-startdate", opensslTime(now.Add(-72*time.Hour)), "-enddate", opensslTime(now.Add(24*time.Hour)))
	v.issue("root", "brief", "signer", "-startdate", opensslTime(now.Add(-72*time.Hour)), "-enddate", opensslTime(now.Add(24*time.Hour)))
	v.sign("brief", "brief.p7s", "-cades")
	v.stamped("brief.p7s", "ended", "ended.p7s")
	v.stamped("brief.p7s", "ending", "ending.p7s")
	v.stamped("brief.p7s", "tsa", "brief-t.p7s")
	r, code := v.verify("ended.p7s")
	v.expect("stamp of an authority that had ended; the signer's certificate still holds", r, code, "TOTAL_PASSED")
	v.stamp("ended", r, "TOTAL_FAILED", "EXPIRED", "now")
	r, code = v.verify("ended.p7s", "--at", at)
	v.expect("the same, when the signer's certificate has ended", r, code, "INDETERMINATE/OUT_OF_BOUNDS_NOT_REVOKED")
	r, code = v.verify("ending.p7s", "--at", at)
	v.expect("the authority has ended since", r, code, "INDETERMINATE/OUT_OF_BOUNDS_NOT_REVOKED")
	v.stamp("ending", r, "INDETERMINATE", "OUT_OF_BOUNDS_NOT_REVOKED", "now")
	r, code = v.verify("brief-t.p7s", "--at", at)
	v.expect("a good stamp outlives the signer's certificate", r, code, "TOTAL_PASSED")
	v.stamp("good", r, "TOTAL_PASSED", "", "timestamp")
	v.root("other")
	v.issue("other", "foreign", "tsacert")
	v.stamped("brief.p7s", "foreign", "foreign.p7s")
	r, code = v.verify("foreign.p7s")
	v.expect("stamp of an authority nobody vouches for", r, code, "TOTAL_PASSED")
	v.stamp("foreign", r, "INDETERMINATE", "NO_CERTIFICATE_CHAIN_FOUND", "now")
}

func (v *verifying) stamp(what string, r *proto.Report, i proto.Indication, sub proto.SubIndication, from string) {
	v.t.Helper()
	s := r.Signers[0]
	if len(s.Timestamps) != 1 || s.BestTime == nil {
		v.t.Fatalf("%s: stamps %+v, best time %+v", what, s.Timestamps, s.BestTime)
	}
	if ts := s.Timestamps[0]; ts.Indication != i || ts.SubIndication != sub || s.BestTime.From != from || (ts.Text == "") != (i == "TOTAL_PASSED") {
		v.t.Errorf("%s: stamp %s/%s %q, best time from %s; want %s/%s from %s", what, ts.Indication, ts.SubIndication, ts.Text, s.BestTime.From, i, sub, from)
	}
}

// spliced: a certificate or a time-stamp that is another's.
func (v *verifying) spliced() {
	v.newKey("twin")
	index := string(v.Read("root.index"))
	v.write("root.serial", "7777\n")
	v.certify("root", "twin", "Someone A", "signer")
	first := v.der("twin.pem")
	v.sign("twin", "twin.p7s", "-cades")
	v.write("root.index", index)
	v.write("root.serial", "7777\n")
	v.certify("root", "twin", "Someone B", "signer")
	second := v.der("twin.pem")
	sig := v.Read("twin.p7s")
	if len(first) != len(second) || !bytes.Contains(sig, first) {
		v.t.Fatal("the twins cannot be exchanged")
	}
	v.write("swapped.p7s", string(bytes.Replace(sig, first, second, 1)))
	r, code := v.verify("swapped.p7s")
	v.expect("certificate exchanged", r, code, "INDETERMINATE/NO_SIGNING_CERTIFICATE_FOUND")
	if r.Signers[0].Code != proto.CodeSignerMismatch {
		v.t.Errorf("certificate exchanged: %s", r.Signers[0].Code)
	}

	v.write("tsaserial", "2000\n")
	v.stamped("bes.p7s", "tsa", "one.p7s")
	one := v.Read("token")
	v.stamped("twin.p7s", "tsa", "two.p7s")
	two := v.Read("token")
	if len(one) != len(two) {
		v.t.Fatalf("tokens of %d and %d bytes cannot be exchanged", len(one), len(two))
	}
	v.write("imprint.p7s", string(bytes.Replace(v.Read("one.p7s"), one, two, 1)))
	r, code = v.verify("imprint.p7s")
	v.expect("stamp of another signature", r, code, "TOTAL_PASSED")
	v.stamp("imprint", r, "TOTAL_FAILED", "HASH_FAILURE", "now")
}

func (v *verifying) der(name string) []byte {
	block, _ := pem.Decode(v.Read(name))
	if block == nil {
		v.t.Fatal(name)
	}
	return block.Bytes
}

// forget empties the cache.
func (v *verifying) forget() { os.RemoveAll(v.Path("state")) }

// TestCertCommands: check, export and import with a real authority.
func TestCertCommands(t *testing.T) {
	v := newVerifying(t, "sha256", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
	v.issue("root", "signer", "signer")
	v.list("root")
	out, errOut, code := v.persten("cert", "check", v.Path("signer.pem"), "--roots", v.Path("root.pem"))
	if code != exitOK || !strings.Contains(out, "not revoked") || !strings.Contains(out, v.server.URL+"/root.crl") {
		t.Errorf("check: exit %d\n%s%s", code, out, errOut)
	}
	v.revoke("root", "signer", "keyCompromise")
	v.forget()
	out, errOut, code = v.persten("cert", "check", v.Path("signer.pem"), "--roots", v.Path("root.pem"), "--json")
	var status proto.CertificateStatus
	if err := json.Unmarshal([]byte(out), &status); err != nil || status.Code != proto.CodeCertificateRevoked || status.Validate() != nil {
		t.Errorf("revoked: %v %+v\n%s", err, status, errOut)
	}
	if code != exitFailed || !strings.HasPrefix(errOut, "{") || !strings.Contains(errOut, "certificate_revoked") {
		t.Errorf("revoked: exit %d, %s", code, errOut)
	}
	if _, errOut, code = v.persten("cert", "check", v.Path("signer.pem"), "--offline"); code != exitUnsure || !strings.HasPrefix(errOut, "certificate_untrusted: ") {
		t.Errorf("without the root: exit %d, %s", code, errOut)
	}
	v.forget()
	out, errOut, code = v.persten("cert", "import-crl", v.Path("root.crl"))
	if code != exitOK || !strings.Contains(out, "Example root") {
		t.Errorf("import: exit %d\n%s%s", code, out, errOut)
	}
	asked := v.requests()
	_, errOut, _ = v.persten("cert", "check", v.Path("signer.pem"), "--roots", v.Path("root.pem"), "--offline")
	if !strings.HasPrefix(errOut, "certificate_revoked: ") || v.requests() != asked {
		t.Errorf("offline with the imported list: %s", errOut)
	}
	v.forget()
	out, errOut, code = v.persten("cert", "import-crl", "--fetch", v.Path("signer.pem"), "--roots", v.Path("root.pem"))
	if code != exitOK || !strings.Contains(out, "Example root") {
		t.Errorf("fetch: exit %d\n%s%s", code, out, errOut)
	}
	if _, errOut, code = v.persten("cert", "import-crl", v.Path("doc.txt")); code != exitFailed || !strings.HasPrefix(errOut, "format_crl: ") {
		t.Errorf("what is no list: exit %d, %s", code, errOut)
	}
	for _, form := range []string{"cer", "pem", "p7b"} {
		file := v.Path("out." + form)
		if _, errOut, code = v.persten("cert", "export", v.Path("signer.pem"), "--roots", v.Path("root.pem"), "--out", file); code != exitOK {
			t.Errorf("export %s: exit %d, %s", form, code, errOut)
		}
	}
	v.Run("x509", "-inform", "DER", "-in", "out.cer", "-noout")
	v.Run("verify", "-CAfile", "root.pem", "out.pem")
	v.Run("pkcs7", "-inform", "DER", "-in", "out.p7b", "-print_certs", "-out", "both.pem")
	if n := bytes.Count(v.Read("both.pem"), []byte("BEGIN CERTIFICATE")); n != 2 {
		t.Errorf("the chain has %d certificates", n)
	}
}

// TestTrustCommands: nothing is trusted without consent.
func TestTrustCommands(t *testing.T) {
	v := newVerifying(t, "sha256", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
	v.issue("root", "signer", "signer")
	v.list("root")
	v.sign("signer", "bes.p7s", "-cades")
	check := func(what string, want int) {
		t.Helper()
		if out, _, code := v.persten("verify", v.Path("bes.p7s"), "--content", v.Path("doc.txt")); code != want {
			t.Errorf("%s: exit %d, want %d\n%s", what, code, want, out)
		}
	}
	check("before", exitUnsure)
	if _, _, code := v.persten("trust", "add", v.Path("root.pem")); code != exitRefused {
		t.Errorf("nobody asked: exit %d", code)
	}
	if _, _, code := v.persten("trust", "add", v.Path("root.pem"), "--fingerprint", strings.Repeat("00", 32)); code != exitRefused {
		t.Errorf("another fingerprint: exit %d", code)
	}
	check("refused", exitUnsure)
	print := fmt.Sprintf("%X", sha256.Sum256(v.der("root.pem")))
	if _, errOut, code := v.persten("trust", "add", v.Path("root.pem"), "--fingerprint", print); code != exitOK {
		t.Fatalf("add: exit %d, %s", code, errOut)
	}
	check("added", exitOK)
	out, _, _ := v.persten("trust", "list")
	if !strings.Contains(out, "Example root") {
		t.Errorf("list: %s", out)
	}
	if _, _, code := v.persten("trust", "add", v.Path("signer.pem"), "--fingerprint", fmt.Sprintf("%x", sha256.Sum256(v.der("signer.pem")))); code != exitFailed {
		t.Errorf("what is no root: exit %d", code)
	}
	if _, errOut, code := v.persten("trust", "remove", print); code != exitOK {
		t.Errorf("remove: exit %d, %s", code, errOut)
	}
	check("removed", exitUnsure)
}

// TestReportFiles: the page for people and its PDF.
func TestReportFiles(t *testing.T) {
	v := newVerifying(t, "sha256", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
	v.issue("root", "signer", "signer")
	v.list("root")
	v.sign("signer", "att.p7m", "-cades", "-nodetach")
	for _, name := range []string{"report.html", "report.pdf"} {
		if _, errOut, code := v.persten("verify", v.Path("att.p7m"), "--roots", v.Path("root.pem"), "--report", v.Path(name)); code != exitOK {
			t.Fatalf("%s: exit %d, %s", name, code, errOut)
		}
	}
	page := string(v.Read("report.html"))
	if !strings.Contains(page, "Contract 17") || !strings.Contains(page, "The signature is valid") {
		t.Error("the page has not the document and the verdict")
	}
	if !bytes.HasPrefix(v.Read("report.pdf"), []byte("%PDF-")) {
		t.Error("not a PDF")
	}
	if _, errOut, code := v.persten("verify", v.Path("att.p7m"), "--report", v.Path("report.doc")); code != exitUsage {
		t.Errorf("a name that is no report: exit %d, %s", code, errOut)
	}
}

// TestSystemRoots: the operating system's roots count when the configuration says so.
func TestSystemRoots(t *testing.T) {
	v := newVerifying(t, "sha256", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
	v.issue("root", "signer", "signer")
	v.list("root")
	v.sign("signer", "bes.p7s", "-cades")
	before := systemBundles
	systemBundles = []string{v.Path("none"), v.Path("root.pem")}
	defer func() { systemBundles = before }()
	verify := []string{"verify", v.Path("bes.p7s"), "--content", v.Path("doc.txt")}
	if _, _, code := v.persten(verify...); code != exitUnsure {
		t.Errorf("without the setting: exit %d", code)
	}
	v.write("config.toml", string(v.Read("config.toml"))+"[trust]\nsystem = true\n")
	if out, _, code := v.persten(verify...); code != exitOK {
		t.Errorf("with the setting: exit %d, %s", code, out)
	}
}

// listSigner is a key for the list of accredited authorities.
type listSigner struct {
	c   *cert.Certificate
	key algo.PrivateKey
}

func (s listSigner) Certificate() *cert.Certificate { return s.c }
func (s listSigner) Algorithm() algo.ID             { return algo.ECDSASHA256 }
func (s listSigner) Sign(_ context.Context, in algo.Input) ([]byte, error) {
	return s.key.Sign(rand.Reader, algo.ECDSASHA256, in)
}

// TestAccreditedList: a signed list is believed once the person has agreed, one that was changed or signed in part is not.
func TestAccreditedList(t *testing.T) {
	v := newVerifying(t, "sha256", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
	v.issue("root", "signer", "signer")
	v.list("root")
	v.sign("signer", "bes.p7s", "-cades")
	key, err := algo.GenerateKey("p256")
	if err != nil {
		t.Fatal(err)
	}
	c, err := cert.Build(cert.Template{
		Subject: cert.Person{CommonName: "Example Ministry"}, Key: key.Public(), NotAfter: time.Now().Add(24 * time.Hour),
	}, nil, key)
	if err != nil {
		t.Fatal(err)
	}
	list := `<?xml version="1.0" encoding="utf-8"?><АккредитованныеУдостоверяющиеЦентры><Версия>7</Версия><Дата>2026-11-20T00:00:00Z</Дата>` +
		`<УдостоверяющийЦентр><Название>Example</Название><СтатусАккредитации><Статус>Действует</Статус><ДействуетС>2020-01-01T00:00:00Z</ДействуетС>` +
		`</СтатусАккредитации><ПрограммноАппаратныеКомплексы><ПрограммноАппаратныйКомплекс><КлючиУполномоченныхЛиц><Ключ><Сертификаты><ДанныеСертификата><Данные>` +
		base64.StdEncoding.EncodeToString(v.der("root.pem")) + `</Данные></ДанныеСертификата></Сертификаты></Ключ></КлючиУполномоченныхЛиц>` +
		`</ПрограммноАппаратныйКомплекс></ПрограммноАппаратныеКомплексы></УдостоверяющийЦентр></АккредитованныеУдостоверяющиеЦентры>`
	var signed bytes.Buffer
	if err := xmldsig.Sign(context.Background(), &signed, strings.NewReader(list), listSigner{c, key}, xmldsig.Options{}); err != nil {
		t.Fatal(err)
	}
	v.write("list.xml", signed.String())
	v.write("changed.xml", strings.Replace(signed.String(), "<Версия>7<", "<Версия>8<", 1))
	v.write("unsigned.xml", list)
	print := c.ID()
	for _, bad := range []string{"changed.xml", "unsigned.xml", "doc.txt"} {
		if _, errOut, code := v.persten("trust", "import-accredited", v.Path(bad), "--fingerprint", print); code != exitFailed || !strings.HasPrefix(errOut, "format_trust_list: ") {
			t.Errorf("%s: exit %d, %s", bad, code, errOut)
		}
	}
	out, _, code := v.persten("trust", "import-accredited", v.Path("list.xml"))
	if code != exitRefused || !strings.Contains(out, "Example Ministry") || !strings.Contains(out, spaced(print)) {
		t.Errorf("nobody asked: exit %d, %s", code, out)
	}
	if _, _, code = v.persten("verify", v.Path("bes.p7s"), "--content", v.Path("doc.txt")); code != exitUnsure {
		t.Errorf("before consent: exit %d", code)
	}
	if _, errOut, code := v.persten("trust", "import-accredited", v.Path("list.xml"), "--fingerprint", print); code != exitOK {
		t.Fatalf("exit %d, %s", code, errOut)
	}
	if out, _, code = v.persten("verify", v.Path("bes.p7s"), "--content", v.Path("doc.txt")); code != exitOK {
		t.Errorf("after consent: exit %d, %s", code, out)
	}
}
