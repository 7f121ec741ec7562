// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"persten/internal/ui"
)

// place is a folder a person knows by name; name is the end of a key of the texts.
type place struct{ name, path string }

// homely writes the person's own folder as ~, as they know it.
func homely(path string) string {
	home, err := os.UserHomeDir()
	if rest, below := strings.CutPrefix(path, home); err == nil && below && (rest == "" || os.IsPathSeparator(rest[0])) {
		return "~" + rest
	}
	return path
}

// places are the person's folders that exist.
func places() (list []place) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	list = []place{{"home", home}}
	named := userDirs(home)
	for _, p := range []place{{"desktop", "Desktop"}, {"documents", "Documents"}, {"downloads", "Downloads"}} {
		path := cmp.Or(named[p.name], filepath.Join(home, p.path))
		if fi, err := os.Stat(path); err == nil && fi.IsDir() && path != home {
			list = append(list, place{p.name, path})
		}
	}
	return list
}

// userDirs reads where the desktop keeps the person's folders (xdg-user-dirs); they have names in the person's language.
func userDirs(home string) map[string]string {
	config := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(config) {
		config = filepath.Join(home, ".config")
	}
	f, err := os.Open(filepath.Join(config, "user-dirs.dirs"))
	if err != nil {
		return nil
	}
	defer f.Close()
	data, _ := io.ReadAll(io.LimitReader(f, 16<<10)) // what cannot be read names no folders
	return parseUserDirs(string(data), home)
}

func parseUserDirs(s, home string) map[string]string {
	named := map[string]string{}
	for line := range strings.Lines(s) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, `"`)
		if rest, below := strings.CutPrefix(value, "$HOME/"); below {
			value = filepath.Join(home, rest)
		}
		if ok && filepath.IsAbs(value) && !strings.ContainsRune(value, 0) {
			switch name {
			case "XDG_DESKTOP_DIR":
				named["desktop"] = filepath.Clean(value)
			case "XDG_DOCUMENTS_DIR":
				named["documents"] = filepath.Clean(value)
			case "XDG_DOWNLOAD_DIR":
				named["downloads"] = filepath.Clean(value)
			}
		}
	}
	return named
}

// keepIn is the folder in which files that the person asked for are put: downloads, else home.
func keepIn() string {
	all := places()
	if i := slices.IndexFunc(all, func(p place) bool { return p.name == "downloads" }); i >= 0 {
		return all[i].path
	}
	if len(all) > 0 {
		return all[0].path
	}
	return os.TempDir()
}

// maxEntries is how much of a folder is listed.
const maxEntries = 5000

// entry is a file or folder in a list.
type entry struct {
	name   string // on disk
	shown  string
	folder bool
}

// listFolder reads a folder: folders first, then files with one of the endings (all when there are none), without hidden ones.
func listFolder(dir string, endings []string) ([]entry, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	found, err := f.ReadDir(maxEntries)
	if err != nil && len(found) == 0 && err != io.EOF {
		return nil, err
	}
	var list []entry
	for _, e := range found {
		kind := e.Type()
		if kind&fs.ModeSymlink != 0 {
			if fi, err := os.Stat(filepath.Join(dir, e.Name())); err == nil {
				kind = fi.Mode().Type()
			}
		}
		if strings.HasPrefix(e.Name(), ".") || !kind.IsDir() && (!kind.IsRegular() || !ends(e.Name(), endings)) {
			continue
		}
		list = append(list, entry{e.Name(), ui.Safe(e.Name(), 90), kind.IsDir()})
	}
	slices.SortFunc(list, func(a, b entry) int {
		if a.folder != b.folder {
			return map[bool]int{true: -1, false: 1}[a.folder]
		}
		return cmp.Or(strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name)), strings.Compare(a.name, b.name))
	})
	return list, nil
}

func ends(name string, endings []string) bool {
	return len(endings) == 0 || slices.ContainsFunc(endings, func(e string) bool {
		return strings.EqualFold(filepath.Ext(name), e)
	})
}

// maxCopies is how many names are tried for a new file.
const maxCopies = 1000

// writeNew makes a file that is not there yet and fills it: path itself, else with a number ahead of its ending. Nothing is
// ever overwritten, and what could not be written whole is taken away.
func writeNew(path string, fill func(io.Writer) error) (string, error) {
	ext := filepath.Ext(path)
	for n := 1; n < maxCopies; n++ {
		name := path
		if n > 1 {
			name = fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(path, ext), n, ext)
		}
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666) // as the person's mask says: these are documents
		if os.IsExist(err) {
			continue
		}
		if err != nil {
			return "", err
		}
		if err = fill(f); err == nil {
			err = f.Sync()
		}
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err != nil {
			os.Remove(name)
		}
		return name, err
	}
	return "", fs.ErrExist
}
