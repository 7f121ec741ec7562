// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"persten/proto"
)

// TestUpdate: policy has the last word about looking for updates, and mistakes are found with their line.
func TestUpdate(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	user := write("config.toml", "[update]\ncheck = \"stable\"\nurl = \"https://person.example/update.json\"\n")
	for text, want := range map[string]Update{
		"":                            {"stable", "https://person.example/update.json"},
		"[update]\ncheck = \"off\"\n": {"off", "https://person.example/update.json"},
		"[update]\nurl = \"http://пример.рф:8080/u.json\"\n": {"stable", "http://xn--e1afmkfd.xn--p1ai:8080/u.json"},
	} {
		c, err := load(user, write("policy.toml", text), os.Getuid())
		if err != nil || c.Update != want {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
	}
	for _, text := range []string{
		"\n[update]\ncheck = \"beta\"\n", "\n[update]\ncheck = true\n", "\n[update]\nauto = true\n", "\n[update]\nurl = \"\"\n", "\n[update]\nurl = \"file:///etc/passwd\"\n",
		"\n[update]\nurl = \"https://a:b@persten.example/\"\n", "\n[update]\nurl = \"https://persten.example/#x\"\n", "\n[update]\nurl = [\"https://persten.example/\"]\n",
	} {
		_, err := load(user, write("policy.toml", text), os.Getuid())
		var e *proto.Error
		if !errors.As(err, &e) || e.Code != proto.CodePolicyInvalid || e.Args["line"] != "3" {
			t.Errorf("%q: %v", text, err)
		}
	}
}
