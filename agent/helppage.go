// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"persten/browserext"
	"persten/internal/config"
)

func (a *app) helpPageCommand() *cobra.Command {
	return &cobra.Command{
		Use: "help-page [CODE]", Short: a.t("cli.helppage.short"),
		Args: atMostOneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.helpPage(cmd.Context(), strings.Join(args, ""))
		},
	}
}

// helpPage shows the page that explains every error, at the one that is asked for.
func (a *app) helpPage(ctx context.Context, code string) error {
	page, err := fs.ReadFile(browserext.Help(), "index.html")
	if err != nil {
		return err
	}
	anchor, ok := anchorOf(page, code)
	if !ok {
		return usage(errors.New("no such code: " + code))
	}
	state, err := config.StateDir()
	if err != nil {
		return err
	}
	link, err := placeHelp(filepath.Join(state, "help"), string(a.lang), anchor)
	if err != nil {
		return err
	}
	shown := displayed(desktopEnv(ctx)) && openURL(link) == nil
	return a.print(map[string]string{"page": link}, func(w io.Writer) {
		if !shown {
			fmt.Fprintln(w, a.t("cli.demo.manual", "url", link))
		}
	})
}

// anchorOf finds the page's own spelling of a code; without one the page is shown from its beginning.
func anchorOf(page []byte, code string) (string, bool) {
	if code == "" {
		return "", true
	}
	m := regexp.MustCompile(`(?i)<article id="(` + regexp.QuoteMeta(code) + `)"`).FindSubmatch(page)
	if m == nil {
		return "", false
	}
	return string(m[1]), true
}

// placeHelp writes the page where a browser can read it. Programs that open files drop what stands after a file's name, so a
// small page beside it leads to the anchor; its address is returned.
func placeHelp(dir, lang, anchor string) (string, error) {
	if err := unpack(browserext.Help(), dir); err != nil {
		return "", err
	}
	to := "index.html?lang=" + lang
	if anchor != "" {
		to += "#" + anchor
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "<!doctype html><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0;url=%s\"><title>Persten</title>\n", html.EscapeString(to))
	file := filepath.Join(dir, "open.html")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		return "", err
	}
	return fileURL(file)
}
