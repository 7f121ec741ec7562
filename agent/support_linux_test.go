// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"archive/zip"
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"persten/proto"
)

// planted are secrets of every kind, one for each place an archive could take something from.
var planted = map[string]string{
	"name": "Канарейкин", "inn": "500100732259", "innle": "7707083893", "snils": "11223344595", "mail": "kanareika@secret.example",
	"token": "ЖетонКанарейки", "serial": "CANARY0042", "module": "canarymodule", "folder": "canaryfolder", "home": "canaryhome", "site": "canarysite",
	"authority": "canarytsa", "document": "canarydocument", "log": "canarylog", "system": "canaryos", "file": "canaryfile", "about": "canaryabout", "user": "canaryuser", "policy": "canarypolicy",
}

// newCanary makes a set-up with all of them.
func newCanary(t *testing.T) *holder {
	h := newHolder(t)
	attribute := func(value string, oid ...int) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier(oid), Value: value}
	}
	h.leaf.Subject = pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{
		attribute(planted["name"]+" Иван", 2, 5, 4, 3), attribute(planted["name"], 2, 5, 4, 4), attribute("Иван", 2, 5, 4, 42), attribute(planted["inn"], 1, 2, 643, 3, 131, 1, 1),
		attribute(planted["innle"], 1, 2, 643, 100, 4), attribute(planted["snils"], 1, 2, 643, 100, 3), attribute(planted["mail"], 1, 2, 840, 113549, 1, 9, 1),
	}}
	h.leaf.NotBefore, h.leaf.NotAfter = time.Now().AddDate(-1, 0, 0), time.Now().AddDate(0, 0, -1)
	h.tokenLines = []string{"label " + planted["token"], "serial " + planted["serial"], "pin 12345678"}
	h.build()
	home := filepath.Join(h.dir, planted["home"])
	h.file(filepath.Join(home, "Загрузки", planted["file"]+".pfx"), []byte("0"))
	h.file(filepath.Join(h.dir, "config/chromium/NativeMessagingHosts/persten.agent.json"), fmt.Appendf(nil, `{"name":"persten.agent","path":"/opt/%s/persten"}`, planted["folder"]))
	h.file(filepath.Join(h.dir, "root/etc/os-release"), fmt.Appendf(nil, "ID=%s\nVERSION_ID=\"%s\"\nNAME=%[1]s\n", planted["system"], planted["system"]))
	h.file(filepath.Join(h.dir, "root/proc/sys/kernel/osrelease"), []byte(planted["system"]))
	h.file(filepath.Join(h.dir, "state/persten/journal.jsonl"), fmt.Appendf(nil, `{"documents":[{"name":"%s"}]}`+"\n", planted["document"]))
	log := fmt.Sprintf("time=2026-11-22T10:00:00.000+03:00 level=INFO msg=ready socket=/run/%[1]s\n"+
		"time=2026-11-22T10:00:01.000+03:00 level=WARN msg=\"%[1]s\"\n"+"%[1]s\ntime=%[1]s level=INFO msg=ready\n"+
		"time=2026-11-22T10:00:02.000+03:00 level=INFO msg=token event=inserted label=%[1]s\n", planted["log"])
	h.file(filepath.Join(h.dir, "bin/journalctl"), []byte("#!/bin/sh\ncat <<'END'\n"+log+"END\n"))
	if err := os.Chmod(filepath.Join(h.dir, "bin/journalctl"), 0o700); err != nil {
		t.Fatal(err)
	}
	config := string(h.read(filepath.Join(h.dir, "config.toml")))
	config = strings.Replace(config, `name = "p11test"`, fmt.Sprintf(`name = %q`, planted["module"]), 1)
	config = strings.Replace(config, "[trust]\n", fmt.Sprintf("[trust]\ncrls = [%q]\ntsa = \"https://%s.example/\"\n", filepath.Join(h.dir, planted["folder"]), planted["authority"]), 1)
	config += fmt.Sprintf("[origins]\nallow = [\"https://%s.example\"]\n[keyfiles]\ndirs = [%q]\n[ui]\npinentry = \"/opt/%s/pinentry\"\n", planted["site"], filepath.Join(h.dir, planted["folder"]), planted["folder"])
	h.file(filepath.Join(h.dir, "config.toml"), []byte(config))
	h.env = append(h.env, "HOME="+home, "USER="+planted["user"], "PATH="+filepath.Join(h.dir, "bin")+":"+os.Getenv("PATH"), "https_proxy=http://"+planted["policy"]+".example:3128")
	return h
}

// bundle makes an archive and returns its files, the archive itself and the letter.
func (h *holder) bundle(args ...string) (files map[string]string, raw []byte, letter string) {
	h.t.Helper()
	program, err := built()
	if err != nil {
		h.t.Fatal(err)
	}
	file := filepath.Join(h.dir, "support.zip")
	cmd := exec.Command(program, append([]string{"doctor", "--root", filepath.Join(h.dir, "root"), "--bundle", file}, args...)...)
	cmd.Env = h.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("%v\n%s", err, out)
	}
	raw = h.read(file)
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		h.t.Fatal(err)
	}
	files = map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			h.t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			h.t.Fatal(err)
		}
		files[f.Name] = string(data)
		if !strings.Contains(string(out), f.Name) {
			h.t.Errorf("%s was not shown beforehand", f.Name)
		}
	}
	return files, raw, string(h.read(filepath.Join(h.dir, "support.letter.txt")))
}

// disguises are the forms in which a secret could hide.
func disguises(s string) []string {
	escaped, _ := json.Marshal(s)
	return []string{s, strings.ToLower(s), strings.ToUpper(s), hex.EncodeToString([]byte(s)), base64.StdEncoding.EncodeToString([]byte(s)), strings.Trim(string(escaped), `"`)}
}

// TestBundleTellsNobody plants a secret in every source and wants none in the archive, and the useful things in it.
func TestBundleTellsNobody(t *testing.T) {
	h := newCanary(t)
	if out := h.doctor(); !slices.ContainsFunc(out, func(f proto.DoctorFinding) bool { return strings.Contains(f.Text.What+f.Subject, planted["file"]) }) {
		t.Fatal("the doctor did not even look where the secrets are")
	}
	files, raw, letter := h.bundle("--about", "er 10002 "+planted["about"])
	for what, secret := range planted {
		for _, form := range disguises(secret) {
			if bytes.Contains(raw, []byte(form)) {
				t.Errorf("%s: %q stands in the archive as it is", what, form)
			}
			for name, text := range files {
				if strings.Contains(name+text, form) {
					t.Errorf("%s: %q is in %s", what, form, name)
				}
			}
		}
	}
	for name, want := range map[string]string{
		"findings.json": `"certificate_expired"`, "versions.json": `"protocol": "persten.v1"`, "settings.json": `"sitesAllowed": 1`,
		"browsers.json": `"different"`, "tokens.json": `"certificate_expired"`, "log.json": "10:00:02 INFO token", "modules.json": "",
	} {
		if text, ok := files[name]; !ok || !strings.Contains(text, want) {
			t.Errorf("%s lacks %s: %s", name, want, text)
		}
	}
	for _, want := range []string{planted["about"], planted["innle"], "1267", "Демонстрационный центр", "er-10002"} {
		if !strings.Contains(letter, want) {
			t.Errorf("the letter lacks %q:\n%s", want, letter)
		}
	}
	for _, not := range []string{planted["name"], planted["snils"], planted["mail"], planted["home"]} {
		if strings.Contains(letter, not) {
			t.Errorf("the letter has %q", not)
		}
	}
	if _, ok := files["certificate.cer"]; ok || len(files) != 7 {
		t.Errorf("%d files", len(files))
	}
	files, _, _ = h.bundle("--with-certificate")
	if files["certificate.cer"] != string(h.read(h.Path("cert"))) {
		t.Error("the certificate was asked for and is not attached")
	}
}
