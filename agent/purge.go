// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"persten/internal/browser"
	"persten/internal/config"
	"persten/proto"
)

// leftovers are what sessions made for themselves, in the folder of state. The journal and what the person decided are no part of it.
var leftovers = []string{"agent.key", "agent.key.lock", "spool", "answers", "known.json", "forward-*.json", "pin-stopped-*", "notices.json", "update.json"}

// records are the journal and what belongs to it.
var records = []string{"journal.jsonl", "journal.jsonl.*"}

// endWait is how long a session may take to end.
const endWait = 10 * time.Second

// purgeCommand is for whoever removes Persten: files in homes are each person's own, so no package deletes them. Packages run it for every
// user before their removal.
func (a *app) purgeCommand() *cobra.Command {
	var everybody bool
	c := &cobra.Command{
		Use: "purge", Short: a.t("cli.purge.short"), Long: a.t("cli.purge.long"), Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if everybody {
				return errors.Join(endPrograms(programs()), forgetEverybody(slices.Concat(ownFiles(a.journalStays()), []string{"compat"})))
			}
			used := config.StateExists() // nothing is made just to be removed
			stays := used && a.journalStays()
			err := a.purgeSystem()
			if used {
				err = errors.Join(err, a.purgeState(cmd.Context(), stays))
			}
			if err != nil {
				return err
			}
			return a.print(map[string]bool{"journalStays": stays}, func(w io.Writer) {
				fmt.Fprintln(w, a.t("cli.purge.done"))
				if stays {
					a.sayJournalStays(w)
				}
			})
		},
	}
	c.Flags().BoolVar(&everybody, "everybody", false, a.t("cli.purge.everybody"))
	_ = c.Flags().MarkHidden("everybody") // the MSI for all users sets it
	return c
}

// journalStays reports whether policy leaves the journal. Where the policy cannot be read, it does.
func (a *app) journalStays() bool {
	c, err := a.config()
	return err != nil || c.Journal.Stay == nil || *c.Journal.Stay
}

func (a *app) sayJournalStays(w io.Writer) {
	if path, err := a.statePath("journal.jsonl"); err == nil && exists(path) {
		fmt.Fprintln(w, a.t("cli.purge.stays", "file", path))
	}
}

// purgeSystem takes back what Persten told browsers and the system for this user. What fails does not keep the rest.
func (a *app) purgeSystem() error {
	me, err := self()
	if err == nil {
		_, err = browser.Uninstall(browser.Options{Executable: me})
	}
	return errors.Join(err, dropUnits())
}

// purgeState ends what runs for this user and removes what it made for itself.
func (a *app) purgeState(ctx context.Context, journalStays bool) error {
	dir, err := a.statePath("")
	if err != nil {
		return err
	}
	return errors.Join(a.endSession(ctx), endPrograms(programs()), a.clearLoopback(ctx),
		forget(filepath.Dir(dir), filepath.Base(dir), ownFiles(journalStays)))
}

// ownFiles are the patterns of what goes.
func ownFiles(journalStays bool) []string {
	if journalStays {
		return leftovers
	}
	return slices.Concat(records, leftovers)
}

// forget removes files and folders that fit one of the patterns from the folder of state in a person's home, and that folder if nothing
// is left. The person may have put links there, and we may be the system itself: nothing outside of home is removed.
func forget(home, state string, patterns []string) error {
	root, err := os.OpenRoot(home)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unremoved(home, err)
	}
	defer root.Close()
	list, err := fs.ReadDir(root.FS(), filepath.ToSlash(state))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unremoved(filepath.Join(home, state), err)
	}
	var errs []error
	for _, e := range list {
		if slices.ContainsFunc(patterns, func(p string) bool { ok, _ := filepath.Match(p, e.Name()); return ok }) {
			name := filepath.Join(state, e.Name())
			errs = append(errs, unremoved(filepath.Join(home, name), removeAll(root, name)))
		}
	}
	removeEmpty(root, filepath.Join(state, "compat"))
	removeEmpty(root, state)
	return errors.Join(errs...)
}

func unremoved(file string, err error) error {
	if err == nil {
		return nil
	}
	return proto.E(proto.CodeFileUnwritable, err, "file", file)
}

// endSession asks the session to end and waits until it has.
func (a *app) endSession(ctx context.Context) error {
	if runtime.GOOS != "windows" && !exists(config.SocketFile()) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, endWait)
	defer cancel()
	c, err := a.connect(ctx)
	if err != nil {
		return nil // there is none
	}
	defer c.Close()
	_, err = ask[proto.AgentStopResult](ctx, c, proto.MethodAgentStop, proto.AgentStopParams{})
	for err == nil {
		time.Sleep(50 * time.Millisecond)
		_, err = ask[proto.AgentStatusResult](ctx, c, proto.MethodAgentStatus, proto.AgentStatusParams{})
	}
	if ctx.Err() != nil {
		return proto.E(proto.CodeAgentRunning, err)
	}
	return nil // it is gone
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
