// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"persten/browserext"
	"persten/internal/browser"
	"persten/internal/config"
	"persten/internal/secret"
	"persten/proto"
)

// socketVariable names the environment variable that leads a native host to a session other than the user's own.
const socketVariable = "PERSTEN_SOCKET"

func (a *app) demoCommand() *cobra.Command {
	var port int
	c := &cobra.Command{
		Use: "demo", Short: a.t("cli.demo.short"), Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !displayed(desktopEnv(cmd.Context())) {
				return a.demoInTerminal(cmd.Context())
			}
			return a.demo(cmd.Context(), port)
		},
	}
	c.Flags().IntVar(&port, "port", 0, a.t("cli.flag.port"))
	return c
}

// demoDir is where the demonstration keeps its token, journal and browser profile, apart from the user's own state. The faces are
// the user's own: `persten compat` turns them on here too, and browsers know one loopback certificate by its name.
func (a *app) demoDir() (string, error) {
	state, err := config.StateDir()
	if err != nil {
		return "", err
	}
	a.state, a.compatDir = filepath.Join(state, "demo"), filepath.Join(state, "compat")
	return a.state, os.MkdirAll(a.state, 0o700)
}

// demo runs a session with the demonstration token and a portal beside the user's own session, and opens a browser.
func (a *app) demo(ctx context.Context, port int) error {
	dir, err := a.demoDir()
	if err != nil {
		return err
	}
	portal, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	defer portal.Close()
	private, err := os.MkdirTemp("", "persten-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(private)

	c, err := a.config()
	if err != nil {
		return err
	}
	c.Trust.Roots = append(c.Trust.Roots, filepath.Join(dir, "token", "ca.pem"))
	c.Trust.CRLs = append(c.Trust.CRLs, a.demoLists(filepath.Join(dir, "token"))...)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	origin := "http://" + portal.Addr().String()
	ready := make(chan net.Addr, 1)
	ended := make(chan error, 1)
	o := sessionOptions{
		demo: filepath.Join(dir, "token"), socket: filepath.Join(private, "session.sock"), listen: "127.0.0.1:0",
		allow: []string{origin}, ready: func(ws net.Addr) { ready <- ws },
	}
	go func() { ended <- a.session(ctx, o) }()
	go serveDemo(portal)
	select {
	case err := <-ended:
		return err
	case ws := <-ready:
		wsPort := ""
		if ws != nil {
			_, wsPort, _ = net.SplitHostPort(ws.String())
		}
		a.openPortal(ctx, fmt.Sprintf("%s/?lang=%s&port=%s", origin, a.lang, wsPort), o.socket, filepath.Join(dir, "browser"))
	}
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return <-ended
	}
}

// serveDemo serves the portal's files and nothing else.
func serveDemo(l net.Listener) {
	s := &http.Server{Handler: http.FileServerFS(browserext.Demo()), ReadHeaderTimeout: 5 * time.Second}
	if err := s.Serve(l); err != nil && !errors.Is(err, net.ErrClosed) {
		slog.Error("portal", "cause", err)
	}
}

// openPortal shows the portal in Chromium with the extension where there is one, else in the usual browser.
func (a *app) openPortal(ctx context.Context, url, socket, profile string) {
	fmt.Fprintln(a.out, a.t("cli.demo.open", "url", url))
	fmt.Fprintln(a.out, a.t("cli.demo.pin", "pin", demoPIN))
	fmt.Fprintln(a.out, a.t("cli.demo.stop"))
	err := openChromium(ctx, url, socket, profile)
	if err != nil {
		slog.Info("no Chromium with the extension; the page will use the WebSocket", "cause", err)
		err = openURL(url)
	}
	if err != nil {
		fmt.Fprintln(a.out, a.t("cli.demo.manual", "url", url))
	}
}

// openChromium starts Chromium with a profile of its own, our extension and our native host.
func openChromium(ctx context.Context, url, socket, profile string) error {
	program, err := findChromium()
	if err != nil {
		return err
	}
	me, err := self()
	if err != nil {
		return err
	}
	extension := filepath.Join(profile, "persten-extension")
	if err := unpack(browserext.Extension(), extension); err != nil {
		return err
	}
	if _, err := browser.Install(browser.Options{Executable: me, UserDataDir: profile}); err != nil {
		return err
	}
	args := []string{
		"--user-data-dir=" + profile, "--load-extension=" + extension, "--disable-extensions-except=" + extension,
		"--no-first-run", "--no-default-browser-check", "--disable-sync", "--disable-background-networking",
		"--disable-features=DisableLoadExtensionCommandLineSwitch",
	}
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox") // Chromium refuses to start for root otherwise
	}
	cmd := exec.CommandContext(ctx, program, append(args, url)...)
	cmd.Env = append(desktopEnv(ctx), socketVariable+"="+socket)
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	go cmd.Wait()
	return nil
}

// findChromium finds a browser that still loads unpacked extensions from the command line; branded Chrome does not.
func findChromium() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "chromium-gost"} {
		if p, err := exec.LookPath(name); err == nil {
			return p, nil
		}
	}
	return "", errors.New("no Chromium found")
}

// openURL shows a page in the person's usual browser.
func openURL(url string) error {
	if runtime.GOOS == "windows" {
		return exec.Command("rundll32", "url.dll,FileProtocolHandler", url).Start()
	}
	return exec.Command("xdg-open", url).Start()
}

// unpack writes a file tree to dir, over what is there.
func unpack(from fs.FS, dir string) error {
	return fs.WalkDir(from, ".", func(name string, d fs.DirEntry, err error) error {
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err != nil || d.IsDir() {
			return errors.Join(err, os.MkdirAll(to, 0o755))
		}
		data, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, 0o644)
	})
}

// demoInTerminal makes one signature with the demonstration token and verifies it: the main job without a display.
func (a *app) demoInTerminal(ctx context.Context) error {
	dir, err := a.demoDir()
	if err != nil {
		return err
	}
	out := filepath.Join(dir, "demo.txt")
	if err := os.WriteFile(out, []byte(a.t("cli.demo.document")+"\n"), 0o600); err != nil {
		return err
	}
	token := filepath.Join(dir, "token")
	list, err := a.listCertificates(ctx, false, token)
	if err != nil {
		return err
	}
	chosen := pick(list.Certificates)
	fmt.Fprintln(a.out, a.t("cli.demo.headless"))
	o := order{cert: chosen.ID, in: out, out: out + ".p7s", pinFD: -1, passFD: -1, demo: token, cms: &proto.SignCMSParams{}}
	if !interactive() {
		if o.pin, err = demoSecret(); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(a.out, a.t("cli.demo.pin", "pin", demoPIN))
	}
	if err := a.sign(ctx, o); err != nil {
		return err
	}
	return a.verify(ctx, checking{path: o.out, believing: believing{
		roots: []string{filepath.Join(token, "ca.pem")}, crls: a.demoLists(token), offline: true,
	}})
}

// demoLists is the revocation list of the demo token's CA. A token that an older version made has none, nor a key to sign one
// with: the person is told what to do.
func (a *app) demoLists(token string) []string {
	list := filepath.Join(token, "ca.crl")
	_, made := os.Stat(filepath.Join(token, "ca.pem"))
	if _, err := os.Stat(list); made == nil && errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintln(a.out, a.t("cli.demo.old", "dir", token))
		return nil
	}
	return []string{list}
}

// demoSecret is the practice token's PIN as a person would have typed it.
func demoSecret() (*secret.Buffer, error) {
	b, err := secret.NewBuffer(len(demoPIN))
	if err != nil {
		return nil, err
	}
	for _, c := range []byte(demoPIN) {
		b.Append(c)
	}
	return b, nil
}
