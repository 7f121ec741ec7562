// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"cmp"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"persten/internal/text"
)

// TestManPages: every command that people see has a page in both languages. With PERSTEN_MAN the pages stay in that folder, which
// is how packages get them.
func TestManPages(t *testing.T) {
	dir := cmp.Or(os.Getenv("PERSTEN_MAN"), t.TempDir())
	for lang, below := range map[text.Lang]string{text.English: "man1", text.Russian: "ru/man1"} {
		a := &app{lang: lang, out: io.Discard, errOut: io.Discard}
		root := a.root()
		root.DisableAutoGenTag = true
		pages := filepath.Join(dir, below)
		if err := os.MkdirAll(pages, 0o755); err != nil {
			t.Fatal(err)
		}
		day := time.Unix(0, 0) // not of the day they are written, so that packages are the same on every day
		if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "Persten", Manual: "Persten", Date: &day}, pages); err != nil {
			t.Fatal(err)
		}
		checkPages(t, root, pages)
	}
}

func checkPages(t *testing.T, c *cobra.Command, dir string) {
	if !c.IsAvailableCommand() && c.HasParent() || c.IsAdditionalHelpTopicCommand() {
		return
	}
	name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
	if page, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(page), c.Short) {
		t.Errorf("%s: %v, %d bytes", name, err, len(page))
	}
	for _, sub := range c.Commands() {
		checkPages(t, sub, dir)
	}
}
