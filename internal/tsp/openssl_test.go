// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"bytes"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"persten/internal/algo/openssltest"
	"persten/internal/cert"
)

// authority is a certification authority with its time-stamping, OCSP and revocation services, all of them OpenSSL's
// (with Debian's libengine-gost-openssl). A loopback server runs the program for each question.
type authority struct {
	*openssltest.Folder
	t      *testing.T
	digest string // of its signatures, as OpenSSL names it
	mu     sync.Mutex
	server *httptest.Server
	asked  map[string]int // requests by path
	hook   func(w http.ResponseWriter, r *http.Request) bool
	change func(path string, question []byte) []byte // what OpenSSL is asked instead
	alter  func(path string, answer []byte) []byte

	noNextUpdate bool // in OCSP answers
}

var keyArgs = map[string][]string{
	"rsa":     {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"},
	"ecdsa":   {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"},
	"gost256": {"-algorithm", "gost2012_256", "-pkeyopt", "paramset:A"},
	"gost512": {"-algorithm", "gost2012_512", "-pkeyopt", "paramset:A"},
}

var keyDigest = map[string]string{"rsa": "sha256", "ecdsa": "sha256", "gost256": "md_gost12_256", "gost512": "md_gost12_512"}

const extensions = `
[ca]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
[tsa]
keyUsage=critical,digitalSignature
extendedKeyUsage=critical,timeStamping
authorityKeyIdentifier=keyid
[tsa_plain]
keyUsage=critical,digitalSignature
[tsa_lax]
keyUsage=critical,digitalSignature
extendedKeyUsage=timeStamping
[tsa_many]
keyUsage=critical,digitalSignature
extendedKeyUsage=critical,timeStamping,emailProtection
[tsa_other]
keyUsage=critical,digitalSignature
extendedKeyUsage=critical,timeStamping,1.2.3.4
[ocsp]
keyUsage=critical,digitalSignature
extendedKeyUsage=OCSPSigning
noCheck=ignored
[leaf]
keyUsage=critical,digitalSignature,nonRepudiation
authorityKeyIdentifier=keyid
authorityInfoAccess=OCSP;URI:URL/ocsp,caIssuers;URI:URL/ca.cer
crlDistributionPoints=URI:URL/ca.crl
[leaf_crl]
keyUsage=critical,digitalSignature,nonRepudiation
crlDistributionPoints=URI:URL/ca.crl
[delta]
2.5.29.27=critical,ASN1:INTEGER:1
[req]
distinguished_name=dn
[dn]
[db]
default_ca=d
[d]
database=index.txt
crlnumber=crlnumber
serial=serial
new_certs_dir=.
policy=p
[p]
organizationName=optional
commonName=supplied
`

const tsaConfig = `
[tsa]
default_tsa=t
[t]
serial=tsaserial
signer_digest=DIGEST
default_policy=1.2.3.4.1
other_policies=1.2.3.4.5
digests=sha256,sha384,sha512,md_gost12_256,md_gost12_512
accuracy=secs:1
ess_cert_id_alg=sha256
`

func newAuthority(t *testing.T, kind string) *authority {
	t.Helper()
	a := &authority{Folder: openssltest.New(t, "its services were not asked"), t: t, digest: keyDigest[kind], asked: map[string]int{}}
	a.server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.server.Close)
	a.write("ext.cnf", strings.ReplaceAll(extensions, "URL", a.server.URL)) // -config with engines a second time is an error
	a.write("tsa.cnf", strings.ReplaceAll(tsaConfig, "DIGEST", a.digest))
	for name, text := range map[string]string{"index.txt": "", "crlnumber": "01\n", "serial": "1000\n", "tsaserial": "01\n"} {
		a.write(name, text)
	}
	a.key("ca", kind)
	a.Run("req", "-x509", "-new", "-key", "ca.key", "-subj", "/O=Example/CN=Root "+kind, "-days", "30", "-"+a.digest, "-config", "ext.cnf", "-extensions", "ca", "-out", "ca.pem")
	return a
}

func (a *authority) write(name, text string) {
	a.t.Helper()
	a.Write(name, []byte(text))
}

func (a *authority) key(name, kind string) {
	a.Run(append([]string{"genpkey", "-out", name + ".key"}, keyArgs[kind]...)...)
}

// issue makes NAME.key and NAME.pem with a section of extensions.
func (a *authority) issue(name, kind, section string, more ...string) *cert.Certificate {
	a.t.Helper()
	a.key(name, kind)
	a.Run("req", "-new", "-key", name+".key", "-subj", "/O=Example/CN="+name, "-"+a.digest, "-config", "ext.cnf", "-out", name+".csr")
	a.Run(append([]string{
		"x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAserial", "serial", "-days", "20", "-" + a.digest,
		"-extfile", "ext.cnf", "-extensions", section, "-out", name + ".pem",
	}, more...)...)
	return a.cert(name)
}

// issueDated is issue with the days of validity, by the database.
func (a *authority) issueDated(name, kind, section, from, to string) {
	a.t.Helper()
	a.key(name, kind)
	a.Run("req", "-new", "-key", name+".key", "-subj", "/O=Example/CN="+name, "-"+a.digest, "-config", "ext.cnf", "-out", name+".csr")
	a.Run("ca", "-batch", "-config", "ext.cnf", "-name", "d", "-in", name+".csr", "-keyfile", "ca.key", "-cert", "ca.pem", "-md", a.digest,
		"-startdate", from, "-enddate", to, "-extensions", section, "-notext", "-out", name+".pem")
}

// resign makes the answer's time-stamp one by another certificate, which OpenSSL's authority would refuse to use.
func (a *authority) resign(answer []byte, signer string, args ...string) []byte {
	token, err := stampToken(answer)
	if err != nil {
		a.t.Error(err)
		return nil
	}
	os.WriteFile(a.Path("token"), token, 0o600)
	out, err := a.Try("cms", "-verify", "-noverify", "-inform", "DER", "-in", "token", "-binary", "-out", "tst")
	if err == nil {
		out, err = a.Try(append([]string{
			"cms", "-sign", "-in", "tst", "-binary", "-nodetach", "-signer", signer + ".pem", "-inkey", signer + ".key", "-md", a.digest, "-outform", "DER", "-out", "token",
		}, args...)...)
	}
	if err != nil {
		a.t.Errorf("%v: %s", err, out)
		return nil
	}
	token, _ = os.ReadFile(a.Path("token"))
	whole, _ := asn1.Marshal(struct {
		Status struct{ Status int }
		Token  asn1.RawValue
	}{Token: asn1.RawValue{FullBytes: token}})
	return whole
}

func (a *authority) cert(name string) *cert.Certificate {
	a.t.Helper()
	block, _ := pem.Decode(a.Read(name + ".pem"))
	if block == nil {
		a.t.Fatalf("%s.pem: no PEM", name)
	}
	c, err := cert.Parse(block.Bytes)
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

func (a *authority) trust() cert.Trust { return cert.Trust{Roots: []*cert.Certificate{a.cert("ca")}} }

// registered adds a certificate to the database as good, then revokes it when a reason is given.
func (a *authority) registered(name, reason string) {
	a.t.Helper()
	a.Run("ca", "-config", "ext.cnf", "-name", "d", "-valid", name+".pem", "-keyfile", "ca.key", "-cert", "ca.pem", "-md", a.digest)
	if reason != "" {
		a.Run("ca", "-config", "ext.cnf", "-name", "d", "-revoke", name+".pem", "-crl_reason", reason, "-keyfile", "ca.key", "-cert", "ca.pem", "-md", a.digest)
	}
}

// crl makes ca.crl, DER.
func (a *authority) crl(more ...string) {
	a.t.Helper()
	a.Run(append([]string{"ca", "-config", "ext.cnf", "-name", "d", "-gencrl", "-keyfile", "ca.key", "-cert", "ca.pem", "-md", a.digest, "-crldays", "7", "-out", "crl.pem"}, more...)...)
	a.Run("crl", "-in", "crl.pem", "-outform", "DER", "-out", "ca.crl")
}

func (a *authority) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked[r.URL.Path]++
	if a.hook != nil && a.hook(w, r) {
		return
	}
	q, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if a.change != nil {
		q = a.change(r.URL.Path, q)
	}
	os.WriteFile(a.Path("q"), q, 0o600)
	out, err, media := "", error(nil), ""
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/tsa"):
		name := strings.Trim(path, "/")
		out, err = a.Try("ts", "-reply", "-config", "tsa.cnf", "-queryfile", "q", "-signer", name+".pem", "-inkey", name+".key", "-out", "answer")
		media = "application/timestamp-reply"
	case path == "/ocsp":
		args := []string{"ocsp", "-index", "index.txt", "-rsigner", "ocsp.pem", "-rkey", "ocsp.key", "-CA", "ca.pem", "-rmd", a.digest, "-reqin", "q", "-respout", "answer"}
		if !a.noNextUpdate {
			args = append(args, "-ndays", "1")
		}
		out, err = a.Try(args...)
		media = "application/ocsp-response"
	case path == "/ca.cer":
		out, err = a.Try("x509", "-in", "ca.pem", "-outform", "DER", "-out", "answer")
		media = "application/pkix-cert"
	case path == "/ca.p7c":
		out, err = a.Try("crl2pkcs7", "-nocrl", "-certfile", "ca.pem", "-outform", "DER", "-out", "answer")
		media = "application/pkcs7-mime"
	case path == "/ca.crl":
		http.ServeFile(w, r, a.Path("ca.crl")) // Last-Modified, If-Modified-Since
		return
	default:
		http.NotFound(w, r)
		return
	}
	answer, readErr := os.ReadFile(a.Path("answer"))
	if readErr != nil || len(answer) == 0 {
		a.t.Errorf("openssl for %s: %v %v\n%s", r.URL.Path, err, readErr, out)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	os.Remove(a.Path("answer"))
	if a.alter != nil {
		answer = a.alter(r.URL.Path, answer)
	}
	w.Header().Set("Content-Type", media)
	w.Write(answer)
}

// verifiesStamp asks OpenSSL about a token over a digest.
func (a *authority) verifiesStamp(token, digest []byte) error {
	a.write("token", string(token))
	out, err := a.Try("ts", "-verify", "-token_in", "-in", "token", "-digest", fmt.Sprintf("%x", digest), "-CAfile", "ca.pem")
	if err != nil || !bytes.Contains([]byte(out), []byte("Verification: OK")) {
		return fmt.Errorf("%v: %s", err, out)
	}
	return nil
}
