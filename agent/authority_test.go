// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/internal/algo/openssltest"
)

// authority is a certification authority with OCSP, revocation lists and time-stamps, all by OpenSSL, behind a loopback server.
type authority struct {
	*openssltest.Folder
	t      *testing.T
	digest string
	key    []string // genpkey's arguments
	server *httptest.Server

	mu    sync.Mutex
	asked map[string]int
	down  bool // the server answers nothing of use
}

const authorityConfig = `[req]
distinguished_name=dn
string_mask=utf8only
[dn]
[root]
basicConstraints=critical,CA:true
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
[sub]
basicConstraints=critical,CA:true,pathlen:0
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
crlDistributionPoints=URI:URL/root.crl
[signer]
keyUsage=critical,digitalSignature,nonRepudiation
authorityKeyIdentifier=keyid
crlDistributionPoints=URI:URL/NAME.crl
[ocspsigner]
keyUsage=critical,digitalSignature,nonRepudiation
authorityKeyIdentifier=keyid
authorityInfoAccess=OCSP;URI:URL/ocsp
[silent]
keyUsage=critical,digitalSignature,nonRepudiation
authorityKeyIdentifier=keyid
[tsa]
keyUsage=critical,digitalSignature,nonRepudiation
extendedKeyUsage=critical,timeStamping
authorityKeyIdentifier=keyid
crlDistributionPoints=URI:URL/root.crl
[ca]
default_ca=NAMEca
[NAMEca]
database=NAME.index
serial=NAME.serial
crlnumber=NAME.crlnumber
new_certs_dir=.
unique_subject=no
policy=any
default_md=DIGEST
default_crl_days=30
x509_extensions=signer
[any]
commonName=supplied
[tsa_service]
default_tsa=service
[service]
serial=tsaserial
default_policy=1.2.3.4.1
digests=sha256,sha384,sha512,md_gost12_256,md_gost12_512
accuracy=secs:1
ess_cert_id_alg=sha256
signer_digest=DIGEST
certs=root.pem
crypto_device=builtin
`

func newAuthority(t *testing.T, digest string, key ...string) *authority {
	t.Helper()
	a := &authority{Folder: openssltest.New(t, "nothing was verified against a real authority"), t: t, digest: digest, key: key, asked: map[string]int{}}
	a.server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.server.Close)
	a.write("tsaserial", "01\n")
	a.root("root")
	return a
}

// root makes a root NAME with its list.
func (a *authority) root(name string) {
	a.t.Helper()
	a.newKey(name)
	a.config(name)
	a.Run("req", "-x509", "-new", "-key", name+".key", "-subj", "/O=Example/CN=Example "+name, "-days", "3650", "-"+a.digest,
		"-config", name+".cnf", "-extensions", "root", "-out", name+".pem")
	a.list(name)
}

// config prepares the database and the settings of one authority.
func (a *authority) config(name string) {
	text := strings.NewReplacer("URL", a.server.URL, "NAME", name, "DIGEST", a.digest).Replace(authorityConfig)
	a.write(name+".cnf", strings.Replace(text, "[tsa]\n", "[tsacert]\n", 1))
	a.write(name+".tsa", "[tsa]\ndefault_tsa=service\n"+text[strings.Index(text, "[service]"):])
	for file, content := range map[string]string{".index": "", ".serial": "1000\n", ".crlnumber": "01\n"} {
		if _, err := os.Stat(a.Path(name + file)); err != nil {
			a.write(name+file, content)
		}
	}
}

func (a *authority) write(name, text string) {
	a.t.Helper()
	a.Write(name, []byte(text))
}

func (a *authority) newKey(name string) {
	a.t.Helper()
	a.Run(append([]string{"genpkey", "-out", name + ".key"}, a.key...)...)
}

// issue makes NAME.key and NAME.pem, signed by an authority; more are arguments of `openssl ca`.
func (a *authority) issue(by, name, section string, more ...string) {
	a.t.Helper()
	a.newKey(name)
	a.certify(by, name, name, section, more...)
}

// certify makes NAME.pem for the key that exists.
func (a *authority) certify(by, name, subject, section string, more ...string) {
	a.t.Helper()
	a.Run("req", "-new", "-key", name+".key", "-subj", "/CN="+subject, "-utf8", "-config", by+".cnf", "-out", name+".csr", "-"+a.digest)
	a.Run(append([]string{
		"ca", "-batch", "-notext", "-utf8", "-config", by + ".cnf", "-in", name + ".csr", "-keyfile", by + ".key", "-cert", by + ".pem",
		"-days", "300", "-extensions", section, "-out", name + ".pem",
	}, more...)...)
}

func (a *authority) revoke(by, name, reason string) {
	a.t.Helper()
	a.Run("ca", "-config", by+".cnf", "-revoke", name+".pem", "-crl_reason", reason, "-keyfile", by+".key", "-cert", by+".pem")
	a.list(by)
}

// list makes BY.crl.
func (a *authority) list(by string) {
	a.t.Helper()
	a.Run("ca", "-config", by+".cnf", "-gencrl", "-keyfile", by+".key", "-cert", by+".pem", "-out", "list.pem")
	a.Run("crl", "-in", "list.pem", "-outform", "DER", "-out", by+".crl")
}

// sign makes a detached signature of doc.txt by OpenSSL.
func (a *authority) sign(signer, out string, more ...string) {
	a.t.Helper()
	a.Run(append([]string{
		"cms", "-sign", "-binary", "-in", "doc.txt", "-signer", signer + ".pem", "-inkey", signer + ".key", "-md", a.digest,
		"-outform", "DER", "-out", out,
	}, more...)...)
}

// opensslTSA is a time-stamping authority by its certificate's name; it is a cms.Stamper.
type opensslTSA struct {
	a    *authority
	name string
}

func (s opensslTSA) Stamp(_ context.Context, d algo.Digest, imprint []byte) ([]byte, error) {
	name := map[algo.Digest]string{algo.SHA256: "sha256", algo.Streebog256: "md_gost12_256", algo.Streebog512: "md_gost12_512"}[d]
	for _, args := range [][]string{
		{"ts", "-query", "-digest", fmt.Sprintf("%x", imprint), "-" + name, "-cert", "-no_nonce", "-out", "q"},
		{"ts", "-reply", "-config", "root.tsa", "-queryfile", "q", "-signer", s.name + ".pem", "-inkey", s.name + ".key", "-token_out", "-out", "token"},
	} {
		os.Remove(s.a.Path("token"))
		if out, err := s.a.Try(args...); err != nil && !exists(s.a.Path("token")) {
			return nil, fmt.Errorf("openssl %s: %w: %s", strings.Join(args, " "), err, out)
		}
	}
	return os.ReadFile(s.a.Path("token"))
}

func (a *authority) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked[r.URL.Path]++
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	switch {
	case a.down:
		w.WriteHeader(http.StatusServiceUnavailable)
	case strings.HasSuffix(r.URL.Path, ".crl"):
		http.ServeFile(w, r, a.Path(filepath.Base(r.URL.Path)))
	case r.URL.Path == "/ocsp":
		os.Remove(a.Path("answer"))
		os.WriteFile(a.Path("question"), body, 0o600)
		out, _ := a.Try("ocsp", "-index", "root.index", "-rsigner", "root.pem", "-rkey", "root.key", "-CA", "root.pem", "-rmd", a.digest,
			"-reqin", "question", "-ndays", "30", "-respout", "answer")
		answer, err := os.ReadFile(a.Path("answer"))
		if err != nil {
			a.t.Errorf("openssl ocsp: %s", out)
		}
		w.Header().Set("Content-Type", "application/ocsp-response")
		w.Write(answer)
	default:
		http.NotFound(w, r)
	}
}

func (a *authority) requests() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, k := range a.asked {
		n += k
	}
	return n
}

func (a *authority) silence(yes bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.down = yes
}

// opensslTime is a moment as `openssl ca` takes it.
func opensslTime(t time.Time) string { return t.UTC().Format("060102150405Z") }
