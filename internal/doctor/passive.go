// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"persten/proto"
)

// Where people keep keys that are not on tokens, and how much of it is looked at.
var (
	homes   = []string{"", "Downloads", "Загрузки", "Desktop", "Рабочий стол", "Documents", "Документы"}
	sticks  = []string{"/media/*", "/media/*/*", "/run/media/*/*", "/mnt/*"}
	maxSeen = 16
)

// checkPassive looks for keys in files: containers of cryptographic providers on sticks, and PKCS#12 files that were left where
// they were downloaded. It reads names only.
func checkPassive(ctx context.Context, m *Machine) []Finding {
	if m.Env == nil {
		return nil
	}
	var folders []string
	if home := m.Env("HOME"); filepath.IsAbs(home) {
		for _, name := range homes {
			folders = append(folders, filepath.Join(home, name))
		}
	}
	for _, pattern := range sticks {
		at, _ := filepath.Glob(m.path(pattern))
		folders = append(folders, at...)
	}
	list := append(containers(ctx, m, folders), pfxFiles(ctx, m, folders)...)
	return list[:min(len(list), maxSeen)]
}

// containers are folders with the files a CryptoPro container consists of. They are a problem where no other key can sign.
func containers(ctx context.Context, m *Machine, folders []string) (list []Finding) {
	for _, dir := range folders {
		found, _ := filepath.Glob(filepath.Join(quoted(dir), "*.[0-9][0-9][0-9]", "header.key"))
		for _, file := range found {
			at := filepath.Dir(file)
			if rest, _ := filepath.Glob(filepath.Join(quoted(at), "primary.key")); len(rest) == 1 {
				list = append(list, Finding{Code: "key_in_container", Subject: at, Level: m.gravityOfFiles(ctx)})
			}
		}
	}
	return list
}

// gravityOfFiles is how much a key in a file matters: little where another signs.
func (m *Machine) gravityOfFiles(ctx context.Context) Level {
	all := m.keys(ctx)
	if m.gravity(m.chosen(all), all) == Note {
		return Note
	}
	return Warning
}

// pfxFiles are key files in the folders that the configuration does not name.
func pfxFiles(ctx context.Context, m *Machine, folders []string) (list []Finding) {
	for _, dir := range folders {
		if slices.Contains(m.keyFolders(), dir) {
			continue
		}
		files, _ := filepath.Glob(filepath.Join(quoted(dir), "*.[pP]*"))
		for _, file := range files {
			switch strings.ToLower(filepath.Ext(file)) {
			case ".pfx", ".p12":
				if slices.Contains(m.known(ctx), file) {
					continue
				}
				f := note("key_file_found", file, "path", file)
				if m.AddKeyfile != nil {
					f = f.by("add_keyfile")
				}
				list = append(list, f)
			}
		}
	}
	return list
}

func (m *Machine) keyFolders() []string {
	if m.Config == nil {
		return nil
	}
	c, err := m.Config()
	if err != nil {
		return nil
	}
	return c.Keyfiles.Dirs
}

// known are the key files that are tokens already.
func (m *Machine) known(ctx context.Context) (paths []string) {
	if m.Keys == nil {
		return nil
	}
	all, _ := m.Keys.Tokens(ctx)
	for _, t := range all {
		paths = append(paths, t.Path)
	}
	return paths
}

func addKeyfile(ctx context.Context, m *Machine, args map[string]string) error {
	if m.AddKeyfile == nil {
		return proto.E(proto.CodeAgentNotRunning, nil)
	}
	return m.AddKeyfile(ctx, args["path"])
}

// quoted spells a folder so that Glob takes it as it is.
func quoted(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}
