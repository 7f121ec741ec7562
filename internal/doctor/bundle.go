// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"

	"persten/internal/cert"
	"persten/internal/text"
	"persten/internal/token"
	"persten/proto"
)

// part is a file of the archive. What it returns is made of values that allow.go let through, and of nothing else.
type part struct {
	name string
	make func(ctx context.Context, m *Machine, list []Finding) any
}

// parts are what support needs and what names nobody. The text bundle.file.NAME says what is in each.
var parts = []part{
	{"findings", func(_ context.Context, _ *Machine, list []Finding) any { return allowedFindings(list) }},
	{"versions", func(_ context.Context, m *Machine, _ []Finding) any { return allowedVersions(m) }},
	{"settings", func(_ context.Context, m *Machine, _ []Finding) any { return allowedSettings(m) }},
	{"browsers", func(_ context.Context, m *Machine, _ []Finding) any { return allowedBrowsers(m) }},
	{"modules", func(_ context.Context, m *Machine, _ []Finding) any { return allowedModules(m) }},
	{"tokens", func(ctx context.Context, m *Machine, _ []Finding) any { return allowedTokens(ctx, m) }},
	{"log", func(ctx context.Context, m *Machine, _ []Finding) any { return allowedLog(ctx, m) }},
}

// Bundle writes an archive for support to w, and returns the letter that may go with it and what is in the archive. The archive
// is made of what is known to name nobody; the letter is the person's, and names the certificate. Where there is no certificate
// of that id the error is proto.CodeCertificateAbsent.
func (d *Doctor) Bundle(ctx context.Context, p proto.DoctorBundleParams, lang string, w io.Writer) (letter string, files []proto.BundleFile, err error) {
	about, err := d.certificate(ctx, p.Certificate)
	if err != nil {
		return "", nil, err
	}
	list, err := d.run(ctx, proto.DoctorRunParams{}, nil)
	if err != nil {
		return "", nil, err
	}
	z := zip.NewWriter(w)
	add := func(name, kind string, data []byte) {
		if err == nil {
			err = store(z, name, data)
			files = append(files, proto.BundleFile{Name: name, Size: len(data), About: text.Get(text.Lang(lang), "bundle.file."+kind, nil)})
		}
	}
	for _, one := range parts {
		add(one.name+".json", one.name, readable(one.make(ctx, d.m, list)))
	}
	if p.Attach && about != nil {
		add("certificate.cer", "certificate", about.Raw)
	}
	if err == nil {
		err = z.Close()
	}
	return d.letter(p, about, list, text.Lang(lang)), files, err
}

func store(z *zip.Writer, name string, data []byte) error {
	f, err := z.Create(name) // without a time: it would tell the zone
	if err == nil {
		_, err = f.Write(data)
	}
	return err
}

func readable(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	e.Encode(v)
	return b.Bytes()
}

// certificate finds the certificate a letter is about: the named one, else the only one there is, else none.
func (d *Doctor) certificate(ctx context.Context, id string) (*cert.Certificate, error) {
	var all []*cert.Certificate
	for _, k := range d.m.keys(ctx) {
		if c := k.Certificate(); c != nil && (id == "" || c.ID() == id) {
			all = append(all, c)
		}
	}
	switch {
	case len(all) == 1:
		return all[0], nil
	case id != "":
		return nil, proto.E(proto.CodeCertificateAbsent, nil, "id", id)
	}
	return nil, nil
}

// keys lists what the tokens hold, as far as they can be read.
func (m *Machine) keys(ctx context.Context) []token.Key {
	if m.Keys == nil {
		return nil
	}
	list, _ := m.Keys.Keys(ctx) // what failed is the matter of the drivers' check
	return list
}
