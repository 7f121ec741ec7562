// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/token"
	"persten/internal/token/pkcs11"
	"persten/internal/token/tokentest"
)

// hsmKey is a key on a SoftHSM token, with what a program needs to use it without Persten.
type hsmKey struct {
	kind        string // of algo.GenerateKey
	name        string // for people
	algorithm   algo.ID
	module      string // the library
	label, pin  string
	id          string // CKA_ID, hex
	mechanism   string // that signs a ready digest
	certificate *cert.Certificate
	conf        string // SOFTHSM2_CONF, which programs that use the packaged SoftHSM need
}

// hsmKinds are the keys that are measured, in the order of the table.
var hsmKinds = []hsmKey{
	{kind: "rsa2048", name: "RSA-2048", algorithm: algo.RSASHA256, mechanism: "0x1"},
	{kind: "p256", name: "P-256", algorithm: algo.ECDSASHA256, mechanism: "0x1041"},
	{kind: "gost256", name: "GOST 256", algorithm: algo.GOST256, mechanism: "0x1201"},
}

const gostLabel = "Persten GOST"

// hsmKeys makes a token of the packaged SoftHSM2 with RSA and P-256 and, where SoftHSM2 with GOST has been built, one with a
// GOST key. Missing tells which kind could not be made, and why.
func (w *workbench) hsmKeys(ctx context.Context) (keys []hsmKey, missing error, err error) {
	t, err := tokentest.MakeSoftHSM(w.path("softhsm"))
	if err != nil {
		return nil, nil, err
	}
	for _, k := range hsmKinds[:2] {
		k.module, k.label, k.pin, k.conf = t.Module, t.Label, t.PIN, t.Conf
		der, err := os.ReadFile(filepath.Join(filepath.Dir(t.Conf), k.kind+".der"))
		if err != nil {
			return nil, nil, err
		}
		if k.certificate, err = cert.Parse(der); err != nil {
			return nil, nil, err
		}
		if k.id, err = k.objectID(ctx, "cert", k.kind); err != nil {
			return nil, nil, err
		}
		keys = append(keys, k)
	}
	gost := hsmKinds[2]
	gost.label, gost.pin, gost.conf = gostLabel, t.PIN, t.Conf
	if err := w.gostKey(ctx, &gost); err != nil {
		return keys, err, nil
	}
	return append(keys, gost), nil, nil
}

// objectID reads the CKA_ID of the object with a label, by OpenSC's tool.
func (k *hsmKey) objectID(ctx context.Context, kind, label string) (string, error) {
	out, err := k.tool(ctx, "pkcs11-tool", "--module", k.module, "--token-label", k.label, "--list-objects", "--type", kind)
	if err != nil {
		return "", err
	}
	for object := range strings.SplitSeq(out, " Object;") {
		if m := objectID.FindStringSubmatch(object); m != nil && slices.Contains(strings.Fields(object), label) {
			return m[1], nil
		}
	}
	return "", fmt.Errorf("pkcs11-tool shows no %s:\n%s", label, out)
}

var objectID = regexp.MustCompile(`(?m)^\s+ID:\s+([0-9a-f]+)$`)

func (k *hsmKey) tool(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "SOFTHSM2_CONF="+k.conf)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return string(out), nil
}

// gostKey makes a token of SoftHSM2 with GOST. Its key pair is made through our own module process, since no packaged tool
// makes such keys there.
func (w *workbench) gostKey(ctx context.Context, k *hsmKey) error {
	library, err := gostLibrary()
	if err != nil {
		return err
	}
	conf := w.path("gost", "softhsm2.conf")
	if err := os.MkdirAll(w.path("gost", "tokens"), 0o700); err != nil {
		return err
	}
	text := "directories.tokendir = " + w.path("gost", "tokens") + "\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return err
	}
	k.module, err = w.compile(ctx, "gosthsm.c", "-shared", "-fPIC", "-ldl", fmt.Sprintf("-DLIBRARY=%q", library), fmt.Sprintf("-DCONF=%q", conf))
	if err != nil {
		return err
	}
	if _, err := k.tool(ctx, "softhsm2-util", "--module", k.module, "--init-token", "--free", "--label", k.label, "--pin", k.pin, "--so-pin", "00000000"); err != nil {
		return err
	}
	public, err := w.generate(ctx, *k)
	if err != nil {
		return err
	}
	if k.id, err = k.objectID(ctx, "pubkey", k.kind); err != nil {
		return err
	}
	return w.certify(ctx, k, public)
}

// gostLibrary is where testdata/p11/softhsm-gost.sh has put SoftHSM2 with GOST.
func gostLibrary() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", err
	}
	if out, err = exec.Command(strings.TrimSpace(string(out))+"/testdata/p11/softhsm-gost.sh", "--path").Output(); err != nil {
		return "", errors.New("SoftHSM2 with GOST is not built: testdata/p11/softhsm-gost.sh")
	}
	return strings.TrimSpace(string(out)), nil
}

func (w *workbench) generate(ctx context.Context, k hsmKey) (algo.PublicKey, error) {
	program, err := w.persten(ctx)
	if err != nil {
		return nil, err
	}
	inv := pkcs11.New(pkcs11.Options{Modules: []pkcs11.Module{{Name: k.name, Path: k.module}}, Start: pkcs11.Exec(os.Stderr, program, "module")})
	defer inv.Close()
	tokens, err := inv.Tokens(ctx)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(tokens, func(t token.Info) bool { return t.Label == k.label })
	if at < 0 {
		return nil, fmt.Errorf("no token %q", k.label)
	}
	return inv.Generate(ctx, tokens[at], token.KeyOptions{Kind: k.kind, Label: k.kind}, tokentest.Answers(k.pin).PIN)
}

// certify puts a certificate of a new CA beside the key.
func (w *workbench) certify(ctx context.Context, k *hsmKey, public algo.PublicKey) error {
	caKey, err := algo.GenerateKey("p256")
	if err != nil {
		return err
	}
	defer caKey.Wipe()
	ca, err := cert.Build(cert.Template{Subject: cert.Person{CommonName: "Persten test CA", Country: "RU"}, Key: caKey.Public(), CA: true}, nil, caKey)
	if err != nil {
		return err
	}
	k.certificate, err = cert.Build(cert.Template{
		Subject: cert.Person{CommonName: "Демонстрационный Подписант (" + k.kind + ")", Country: "RU"}, Key: public,
	}, ca, caKey)
	if err != nil {
		return err
	}
	file := w.path(k.kind + ".der")
	if err := os.WriteFile(file, k.certificate.Raw, 0o600); err != nil {
		return err
	}
	_, err = k.tool(ctx, "pkcs11-tool", "--module", k.module, "--token-label", k.label, "--login", "--pin", k.pin,
		"--write-object", file, "--type", "cert", "--label", k.kind, "--id", k.id)
	return err
}
