// SPDX-License-Identifier: GPL-3.0-or-later

package tokentest

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
)

// Of the tokens MakeSoftHSM makes.
const (
	SoftHSMPIN   = "87654321"
	SoftHSMLabel = "Persten test"
)

// softHSMPaths are where distributions put the library.
var softHSMPaths = []string{
	"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib64/libsofthsm2.so",
}

// ErrNoSoftHSM tells that SoftHSM2 or the tools to fill it are not installed.
var ErrNoSoftHSM = errors.New("softhsm2, softhsm2-util or pkcs11-tool not installed")

// SoftHSMToken is a token of SoftHSM2. A process that is to see it needs SOFTHSM2_CONF=Conf in its environment before it
// loads Module.
type SoftHSMToken struct {
	Conf   string   `json:"conf"`
	Module string   `json:"module"`
	PIN    string   `json:"pin"`
	Label  string   `json:"label"`
	CA     string   `json:"ca"`   // the issuer's certificate, PEM
	IDs    []string `json:"ids"`  // of the certificates
	Kinds  []string `json:"keys"` // of the keys, in the same order
}

// SoftHSM makes a token in the test's folder and lets this process, and its children, see it. Without SoftHSM the test is
// skipped, saying so.
func SoftHSM(t *testing.T) SoftHSMToken {
	t.Helper()
	s, err := MakeSoftHSM(t.TempDir())
	if errors.Is(err, ErrNoSoftHSM) {
		t.Skipf("not run: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", s.Conf)
	return s
}

// MakeSoftHSM makes a token in dir with an RSA-2048 and a P-256 key, their certificates, and DIR/ca.pem, the certificate
// of the CA that issued them.
func MakeSoftHSM(dir string) (SoftHSMToken, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return SoftHSMToken{}, err
	}
	s := SoftHSMToken{
		Conf: filepath.Join(dir, "softhsm2.conf"), PIN: SoftHSMPIN, Label: SoftHSMLabel, CA: filepath.Join(dir, "ca.pem"),
	}
	if s.Module = SoftHSMModule(); s.Module == "" {
		return s, ErrNoSoftHSM
	}
	if err := s.initialise(dir); err != nil {
		return s, err
	}
	caKey, err := algo.GenerateKey("p256")
	if err != nil {
		return s, err
	}
	defer caKey.Wipe()
	ca, err := cert.Build(cert.Template{
		Subject: cert.Person{CommonName: "Persten test CA", Country: "RU"}, Key: caKey.Public(), CA: true,
		NotAfter: time.Now().AddDate(2, 0, 0),
	}, nil, caKey)
	if err != nil {
		return s, err
	}
	if err := writePEM(s.CA, "CERTIFICATE", ca.Raw); err != nil {
		return s, err
	}
	for _, kind := range []string{"rsa2048", "p256"} {
		if err := s.add(dir, kind, ca, caKey); err != nil {
			return s, fmt.Errorf("%s: %w", kind, err)
		}
	}
	return s, nil
}

// SoftHSMModule is the path of the library, or empty when it or a tool to fill it is not installed.
func SoftHSMModule() string {
	for _, tool := range []string{"softhsm2-util", "pkcs11-tool"} {
		if _, err := exec.LookPath(tool); err != nil {
			return ""
		}
	}
	for _, p := range softHSMPaths {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	return ""
}

func (s *SoftHSMToken) initialise(dir string) error {
	tokens := filepath.Join(dir, "tokens")
	if err := os.MkdirAll(tokens, 0o700); err != nil {
		return err
	}
	conf := "directories.tokendir = " + tokens + "\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
	if err := os.WriteFile(s.Conf, []byte(conf), 0o600); err != nil {
		return err
	}
	return s.run("softhsm2-util", "--init-token", "--free", "--label", s.Label, "--pin", s.PIN, "--so-pin", "00000000")
}

// Another makes a second token beside the first, with the same PIN and a P-256 key.
func (s *SoftHSMToken) Another(label string) error {
	second := *s
	second.Label = label
	dir := filepath.Dir(s.Conf)
	if err := second.run("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", s.PIN, "--so-pin", "00000000"); err != nil {
		return err
	}
	key, err := algo.GenerateKey("p256")
	if err != nil {
		return err
	}
	defer key.Wipe()
	ca, err := cert.Build(cert.Template{
		Subject: cert.Person{CommonName: "Persten test CA", Country: "RU"}, Key: key.Public(), CA: true,
	}, nil, key)
	if err != nil {
		return err
	}
	return second.add(dir, "p256", ca, key)
}

// add puts a new key and its certificate on the token, under one id.
func (s *SoftHSMToken) add(dir, kind string, ca *cert.Certificate, caKey algo.PrivateKey) error {
	key, err := algo.GenerateKey(kind)
	if err != nil {
		return err
	}
	defer key.Wipe()
	c, err := cert.Build(cert.Template{Subject: cert.Person{
		CommonName: "Демонстрационный Подписант (" + kind + ")", Organization: "Демонстрационная организация", Country: "RU",
	}, Key: key.Public()}, ca, caKey)
	if err != nil {
		return err
	}
	pkcs8, err := algo.MarshalPKCS8(key)
	if err != nil {
		return err
	}
	keyFile, certFile := filepath.Join(dir, kind+".key"), filepath.Join(dir, kind+".der")
	defer os.Remove(keyFile)
	if err := writePEM(keyFile, "PRIVATE KEY", pkcs8); err != nil {
		return err
	}
	if err := os.WriteFile(certFile, c.Raw, 0o600); err != nil {
		return err
	}
	var id [8]byte
	rand.Read(id[:])
	hexID := hex.EncodeToString(id[:])
	if err := s.run("softhsm2-util", "--import", keyFile, "--token", s.Label, "--label", kind, "--id", hexID, "--pin", s.PIN); err != nil {
		return err
	}
	s.IDs, s.Kinds = append(s.IDs, c.ID()), append(s.Kinds, kind)
	return s.run("pkcs11-tool", "--module", s.Module, "--token-label", s.Label, "--login", "--pin", s.PIN,
		"--write-object", certFile, "--type", "cert", "--label", kind, "--id", hexID)
}

func (s *SoftHSMToken) run(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "SOFTHSM2_CONF="+s.Conf)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
