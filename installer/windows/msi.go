// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/sha1" // ids of RFC 9562, version 5: no security
	_ "embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"persten/internal/browser"
)

//go:embed persten.wxs
var wxsText string

var wxs = template.Must(template.New("persten.wxs").Funcs(functions).Parse(wxsText))

// pack is one MSI file: for the machine, or for one person without administrator rights.
type pack struct {
	version
	User bool
}

func (p pack) fileName() string {
	name := "persten-" + strings.TrimPrefix(p.Full, "v") + "-x64"
	if p.User {
		name += "-user"
	}
	return name + ".msi"
}

// Code is the id of a thing of this package, the same in every build: a name-based UUID (version 5) as Windows writes it.
func (p pack) Code(names ...string) string {
	scope := "machine"
	if p.User {
		scope = "user"
	}
	h := sha1.New()
	io.WriteString(h, "persten windows package/"+scope+"/"+strings.Join(names, "/"))
	b := h.Sum(nil)[:16]
	b[6], b[8] = b[6]&0x0f|0x50, b[8]&0x3f|0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Root is where this package writes to the registry.
func (p pack) Root() string {
	if p.User {
		return "HKCU"
	}
	return "HKLM"
}

// Other is where the other package writes.
func (p pack) Other() string { return pack{User: !p.User}.Root() }

// Key marks what tells Windows Installer that a component is there: in a person's folders it must be a registry value.
func (p pack) Key() string     { return keyPath(!p.User) }
func (p pack) UserKey() string { return keyPath(p.User) }

func keyPath(is bool) string {
	if is {
		return `KeyPath="yes"`
	}
	return ""
}

// Browsers are the registry keys by which browsers find the native host.
func (p pack) Browsers() []browser.Target { return browser.WindowsTargets() }

// condition is what must hold for an installation, and one sentence for who is refused.
type condition struct{ Holds, English, Russian string }

// Conditions hold for an installation; what is installed can always be removed.
func (p pack) Conditions() []condition {
	other := condition{"NOT OTHERCOPY", "This user has a copy of Persten of their own: remove it in Settings, Apps, then install Persten for everybody.",
		"У этого пользователя стоит собственная копия Persten: удалите её в «Параметры — Приложения» и повторите установку для всех."}
	if p.User {
		other = condition{"NOT OTHERCOPY", "Persten is already installed for everybody on this computer, so you need no copy of your own.",
			"Persten уже установлен на этом компьютере для всех, собственная копия не нужна."}
	}
	return []condition{
		{`(WINDOWSMAJOR AND WINDOWSMAJOR <> "#6")`, "Persten needs Windows 10, Windows Server 2016 or later.", "Для Persten нужна Windows 10, Windows Server 2016 или новее."},
		{"NOT NEWERFOUND", "A newer version of Persten is installed: remove it first if you want this older one.",
			"Установлена более новая версия Persten: чтобы поставить эту, сначала удалите новую."},
		other,
	}
}

const russian = "UserLanguageID = 1049"

// make builds the package out of the folder with its files and puts it, signed if there is a key, where it belongs.
func (p pack) make(stage, file string, key *signer) error {
	var source strings.Builder
	if err := wxs.Execute(&source, p); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(stage, "persten.wxs"), []byte(source.String()), 0o644); err != nil {
		return err
	}
	draft := filepath.Join(stage, "persten.msi")
	os.Remove(draft)
	if err := settle(stage); err != nil {
		return err
	}
	began := time.Now()
	if err := tool(stage, "wixl", "-a", "x64", "-o", "persten.msi", "persten.wxs"); err != nil {
		return err
	}
	if err := p.complete(stage); err != nil {
		return err
	}
	if err := fixDates(draft, began); err != nil {
		return err
	}
	if err := key.sign(draft, "Persten"); err != nil {
		return err
	}
	return os.Rename(draft, file)
}
