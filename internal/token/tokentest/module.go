// SPDX-License-Identifier: GPL-3.0-or-later

package tokentest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
)

// ErrNoModule tells what the test module lacks here: a compiler, libcrypto's headers, or the gost engine.
var ErrNoModule = errors.New("test module not built")

// BuildModule compiles testdata/p11/module, or finds what was compiled from the same sources before, and returns the path
// of the library. Tests run from a folder of the source tree.
var BuildModule = sync.OnceValues(func() (string, error) {
	if _, err := gostEngine(); err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoModule, err)
	}
	root, err := sourceRoot()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(root, "testdata", "p11", "module")
	sources, _ := filepath.Glob(filepath.Join(folder, "*.[ch]"))
	if len(sources) == 0 {
		return "", fmt.Errorf("%w: no sources in %s", ErrNoModule, folder)
	}
	h := sha256.New()
	for _, s := range sources {
		b, err := os.ReadFile(s)
		if err != nil {
			return "", err
		}
		h.Write(b)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	so := filepath.Join(cache, "persten", "p11test-"+hex.EncodeToString(h.Sum(nil)[:8])+".so")
	if _, err := os.Stat(so); err == nil {
		return so, nil
	}
	return so, compile(so, sources)
})

// compile builds beside so and renames, so that a test run at the same time loads a whole library or builds its own.
func compile(so string, sources []string) error {
	if err := os.MkdirAll(filepath.Dir(so), 0o700); err != nil {
		return err
	}
	draft := fmt.Sprintf("%s.%d", so, os.Getpid())
	defer os.Remove(draft)
	args := []string{"-shared", "-fPIC", "-fvisibility=hidden", "-O1", "-o", draft}
	for _, s := range sources {
		if filepath.Ext(s) == ".c" {
			args = append(args, s)
		}
	}
	out, err := exec.Command("cc", append(args, "-lcrypto", "-lpthread")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: cc and libssl-dev: %w: %s", ErrNoModule, err, out)
	}
	return os.Rename(draft, so)
}

// sourceRoot finds the folder of go.mod above the current one.
func sourceRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod above the current folder")
		}
		dir = up
	}
	return "", err
}

// ParamSet is a GOST R 34.10-2012 parameter set as OpenSSL's gost engine names it.
type ParamSet struct {
	Name      string // for people and test names
	Algorithm string // of openssl genpkey
	Set       string
	OID       string
	ID        algo.ID
}

// ParamSets are all that the product knows, one row for each of their object identifiers.
var ParamSets = []ParamSet{
	{"CryptoPro-A", "gost2012_256", "A", "1.2.643.2.2.35.1", algo.GOST256},
	{"CryptoPro-B", "gost2012_256", "B", "1.2.643.2.2.35.2", algo.GOST256},
	{"CryptoPro-C", "gost2012_256", "C", "1.2.643.2.2.35.3", algo.GOST256},
	{"TC26-256-A", "gost2012_256", "TCA", "1.2.643.7.1.2.1.1.1", algo.GOST256},
	{"TC26-256-B", "gost2012_256", "TCB", "1.2.643.7.1.2.1.1.2", algo.GOST256},
	{"TC26-256-C", "gost2012_256", "TCC", "1.2.643.7.1.2.1.1.3", algo.GOST256},
	{"TC26-256-D", "gost2012_256", "TCD", "1.2.643.7.1.2.1.1.4", algo.GOST256},
	{"TC26-512-A", "gost2012_512", "A", "1.2.643.7.1.2.1.2.1", algo.GOST512},
	{"TC26-512-B", "gost2012_512", "B", "1.2.643.7.1.2.1.2.2", algo.GOST512},
	{"TC26-512-C", "gost2012_512", "C", "1.2.643.7.1.2.1.2.3", algo.GOST512},
}

// Scenario is a set of tokens of the test module, see testdata/p11/module/scenario.c for its words. The lines are written
// to File by Save. A process that is to see it needs PERSTEN_P11_CONFIG=File before it loads the library.
type Scenario struct {
	Dir, File string
	CA        *cert.Certificate

	t     testing.TB
	caKey algo.PrivateKey
	lines []string
	keys  int
}

// NewScenario starts one in the test's folder and points this process at it. Without the module the test is skipped.
func NewScenario(t testing.TB) (*Scenario, string) {
	t.Helper()
	so, err := BuildModule()
	if errors.Is(err, ErrNoModule) {
		t.Skipf("NOT RUN: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := &Scenario{t: t, Dir: t.TempDir()}
	s.File = s.Path("scenario")
	s.CA, s.caKey = newCA(t)
	t.Setenv("PERSTEN_P11_CONFIG", s.File)
	return s, so
}

// newCA makes an issuer for certificates of tests.
func newCA(t testing.TB) (*cert.Certificate, algo.PrivateKey) {
	t.Helper()
	key, err := algo.GenerateKey("p256")
	if err != nil {
		t.Fatal(err)
	}
	ca, err := cert.Build(cert.Template{
		Subject: cert.Person{CommonName: "Persten test CA", Country: "RU"}, Key: key.Public(), CA: true,
		NotAfter: time.Now().AddDate(2, 0, 0),
	}, nil, key)
	if err != nil {
		t.Fatal(err)
	}
	return ca, key
}

// Path names a file in the scenario's folder.
func (s *Scenario) Path(name string) string { return filepath.Join(s.Dir, name) }

// Add adds lines.
func (s *Scenario) Add(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

// Save writes the file. A library that is loaded already reads it again when it is initialised again.
func (s *Scenario) Save() {
	s.t.Helper()
	if err := os.WriteFile(s.File, []byte(strings.Join(s.lines, "\n")+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// NewKey writes a private key to a file, PKCS#8. kind is one of algo.GenerateKey's, or the name of a ParamSet.
func (s *Scenario) NewKey(kind string) (algo.PublicKey, string) {
	s.t.Helper()
	s.keys++
	path := s.Path(fmt.Sprintf("%d.key", s.keys))
	set := slices.IndexFunc(ParamSets, func(p ParamSet) bool { return p.Name == kind })
	if set >= 0 {
		s.openSSL("genpkey", "-algorithm", ParamSets[set].Algorithm, "-pkeyopt", "paramset:"+ParamSets[set].Set,
			"-outform", "DER", "-out", path)
		der, err := os.ReadFile(path)
		if err != nil {
			s.t.Fatal(err)
		}
		key, err := algo.ParsePKCS8(der)
		if err != nil {
			s.t.Fatalf("%s: %v", kind, err)
		}
		return key.Public(), path
	}
	key, err := algo.GenerateKey(kind)
	if err != nil {
		s.t.Fatal(err)
	}
	der, err := algo.MarshalPKCS8(key)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, der, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return key.Public(), path
}

// NewCertificate issues a certificate for a key and writes it to a file, DER.
func (s *Scenario) NewCertificate(key algo.PublicKey, name string) (*cert.Certificate, string) {
	s.t.Helper()
	c := Issue(s.t, key, name, s.CA, s.caKey)
	path := s.Path(c.ID()[:16] + ".crt")
	if err := os.WriteFile(path, c.Raw, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return c, path
}

// Issue makes a certificate of a demonstration person.
func Issue(t testing.TB, key algo.PublicKey, name string, ca *cert.Certificate, caKey algo.PrivateKey) *cert.Certificate {
	t.Helper()
	c, err := cert.Build(cert.Template{Subject: cert.Person{
		CommonName: "Демонстрационный Подписант (" + name + ")", Organization: "Демонстрационная организация", Country: "RU",
	}, Key: key}, ca, caKey)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Pair adds a key of the kind and its certificate to the token begun last; the options are those of a key line.
func (s *Scenario) Pair(kind, options string) *cert.Certificate {
	s.t.Helper()
	public, key := s.NewKey(kind)
	c, path := s.NewCertificate(public, kind)
	id := fmt.Sprintf("id=%08x", s.keys)
	s.Add("key %s %s label=%s %s", key, id, kind, options)
	s.Add("cert %s %s label=%s", path, id, kind)
	return c
}

// openSSL runs the program with the gost engine.
func (s *Scenario) openSSL(args ...string) string {
	s.t.Helper()
	out, err := OpenSSL(s.t, s.Dir, args...)
	if err != nil {
		s.t.Fatalf("openssl %s: %v: %s", args[0], err, out)
	}
	return out
}

// OpenSSL runs openssl with the gost engine in dir, and skips the test when either is not there.
func OpenSSL(t testing.TB, dir string, args ...string) (string, error) {
	t.Helper()
	conf, err := openSSLConfig(dir)
	if err != nil {
		t.Skipf("NOT RUN: %v", err)
	}
	cmd := exec.Command("openssl", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "OPENSSL_CONF="+conf)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// gostEngine is the path of OpenSSL's engine; the error says what is missing.
func gostEngine() (string, error) {
	engines, _ := filepath.Glob("/usr/lib/*/engines-3/gost.so")
	if _, err := exec.LookPath("openssl"); err != nil || len(engines) == 0 {
		return "", errors.New("openssl with libengine-gost-openssl is not installed")
	}
	return engines[0], nil
}

// openSSLConfig writes the configuration that loads the engine.
func openSSLConfig(dir string) (string, error) {
	engine, err := gostEngine()
	if err != nil {
		return "", err
	}
	conf := filepath.Join(dir, "persten-openssl.cnf")
	text := "openssl_conf=a\n[a]\nengines=b\n[b]\ngost=c\n[c]\nengine_id=gost\ndynamic_path=" + engine +
		"\ndefault_algorithms=ALL\n"
	return conf, os.WriteFile(conf, []byte(text), 0o600)
}
