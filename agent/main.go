// SPDX-License-Identifier: GPL-3.0-or-later

// Command persten is the signing agent: the daemon, its helpers and its command line in one program without a window.
//
// This package is wiring: each file holds one role or one group of commands, and the decisions live in internal/.
// DESIGN.md beside this file tells which process does what; THREATS.md what each one exposes.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"persten/internal/browser"
	remote "persten/internal/client"
	"persten/internal/config"
	"persten/internal/logon"
	"persten/internal/secret"
	"persten/internal/signing"
	"persten/internal/text"
	"persten/proto"
)

// version is set by the linker.
var version = "dev"

// The exit codes of every command.
const (
	exitOK = iota
	exitFailed
	exitUsage
	exitRefused // the person said no
	exitUnsure  // a check neither passed nor failed: something is not known

	exitGivesWay = 75 // of a session: start the version that was installed (EX_TEMPFAIL, named in the units)
)

func main() {
	if err := secret.SystemLibraries(); err != nil {
		fmt.Fprintln(os.Stderr, "persten:", err)
		os.Exit(exitFailed)
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main with its edges given, so that scripts can test it in one process.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{in: stdin, out: stdout, errOut: stderr, lang: text.FromEnv()}
	a.logTo(stderr, slog.LevelError)
	if extension, ok := browser.HostCaller(args); ok {
		args = []string{"host", "--extension", extension} // browsers give no role, only who calls
	} else if browser.StartedByBrowser(args) {
		return a.report(proto.E(proto.CodeAgentForbidden, nil))
	}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return a.report(root.ExecuteContext(ctx))
}

// errShown ends a command that failed and has said all there is to say.
var errShown = errors.New("already shown")

// app is what all commands share.
type app struct {
	in          io.Reader
	out, errOut io.Writer
	lang        text.Lang
	state       string // folder of state, when not the usual one
	compatDir   string // folder of the faces, when not in state
	json        bool
	configFile  string
	verbose     bool

	loaded *config.Config
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use: "persten", Short: a.t("cli.short"), SilenceErrors: true, SilenceUsage: true,
		PersistentPreRun: func(*cobra.Command, []string) {
			if a.verbose {
				a.logTo(a.errOut, slog.LevelDebug)
			}
		},
	}
	root.PersistentFlags().BoolVar(&a.json, "json", false, a.t("cli.flag.json"))
	root.PersistentFlags().StringVar(&a.configFile, "config", "", a.t("cli.flag.config"))
	root.PersistentFlags().BoolVarP(&a.verbose, "verbose", "v", false, a.t("cli.flag.verbose"))
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	root.Args = noArgs // an unknown command is a usage error
	root.RunE = showHelp
	root.AddCommand(
		a.sessionCommand(), a.hostCommand(), a.moduleCommand(), a.promptCommand(), a.serviceCommand(),
		a.statusCommand(), a.tokensCommand(), a.certsCommand(), a.certCommand(), a.trustCommand(), a.signCommand(), a.extendCommand(), a.verifyCommand(),
		a.doctorCommand(), a.journalCommand(), a.originsCommand(), a.keyfileCommand(), a.settingsCommand(), a.policyCommand(), a.browserCommand(), a.compatCommand(), a.demoCommand(), a.helpPageCommand(), a.updateCommand(), a.purgeCommand(), a.versionCommand(),
	)
	return root
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: a.t("cli.version.short"), Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			return a.print(map[string]string{"version": version, "protocol": proto.Protocol}, func(w io.Writer) {
				fmt.Fprintln(w, "persten", version)
			})
		},
	}
}

// config reads the configuration once.
func (a *app) config() (*config.Config, error) {
	if a.loaded != nil {
		return a.loaded, nil
	}
	c, err := config.Load(a.configFile)
	if err != nil {
		return nil, err
	}
	for _, w := range c.Warnings {
		slog.Warn("configuration", "warning", w)
	}
	a.loaded = c
	if s, err := a.settings(); err == nil {
		a.lang = language(s.Get(), a.lang)
	}
	return c, nil
}

// t is a text in the person's language; args are pairs.
func (a *app) t(key string, args ...string) string {
	m := map[string]string{}
	for i := 0; i+1 < len(args); i += 2 {
		m[args[i]] = args[i+1]
	}
	return text.Get(a.lang, key, m)
}

// print writes v as JSON when asked to, else calls human.
func (a *app) print(v any, human func(io.Writer)) error {
	if !a.json {
		human(a.out)
		return nil
	}
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// logTo sends logs to w, without anything secret.
func (a *app) logTo(w io.Writer, level slog.Level) {
	slog.SetDefault(slog.New(secret.Handler(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))))
}

// report prints an error as "code: text" and the next step, and returns the exit code.
func (a *app) report(err error) int {
	if err == nil {
		return exitOK
	}
	switch {
	case errors.Is(err, errShown):
		return exitFailed
	case errors.Is(err, errGivesWay):
		return exitGivesWay
	}
	if code := exitCode(0); errors.As(err, &code) {
		return int(code)
	}
	if errors.Is(err, errWanted) {
		return logon.Wanted
	}
	pe := commandError(err)
	if pe.Code == proto.CodeInternal {
		ref := signing.NewChannel()[:8]
		slog.Error("internal error", "ref", ref, "cause", err)
		pe = proto.E(proto.CodeInternal, err, "ref", ref)
	}
	data := pe.Data(string(a.lang))
	if errors.As(err, &partly{}) {
		data.Text = proto.Partly(data.Text)
	}
	if a.json {
		json.NewEncoder(a.errOut).Encode(map[string]any{"error": data})
	} else {
		fmt.Fprintf(a.errOut, "%s: %s\n%s\n", data.Code, data.Text, data.Next)
		if toPerson(a.errOut) && pe.Code != proto.CodeUsage && pe.Code != proto.CodeUserRejected {
			fmt.Fprintln(a.errOut, a.t("cli.explain", "code", string(data.Code)))
		}
	}
	switch pe.Code {
	case proto.CodeUsage:
		return exitUsage
	case proto.CodeUserRejected:
		return exitRefused
	}
	if u := (*unconfirmed)(nil); errors.As(err, &u) {
		return exitUnsure
	}
	return exitFailed
}

// commandError finds the catalogue's word for what stopped a command.
func commandError(err error) *proto.Error {
	var pe *proto.Error
	var pathErr *os.PathError
	switch {
	case errors.As(err, &pe):
		return pe
	case errors.Is(err, signing.ErrRejected), errors.Is(err, context.Canceled):
		return proto.E(proto.CodeUserRejected, err)
	case errors.As(err, &pathErr):
		return remote.FileError(pathErr)
	}
	return proto.E(proto.CodeInternal, err)
}

// usage marks err as a mistake in the command line.
func usage(err error) error { return proto.E(proto.CodeUsage, err, "detail", err.Error()) }

func noArgs(c *cobra.Command, args []string) error {
	if err := cobra.NoArgs(c, args); err != nil {
		return usage(err)
	}
	return nil
}

func atMostOneArg(c *cobra.Command, args []string) error {
	if err := cobra.MaximumNArgs(1)(c, args); err != nil {
		return usage(err)
	}
	return nil
}

func exactArgs(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := cobra.ExactArgs(n)(c, args); err != nil {
			return usage(err)
		}
		return nil
	}
}
