// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
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
	return &cobra.Command{
		Use: "purge", Short: a.t("cli.purge.short"), Long: a.t("cli.purge.long"), Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
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

// purgeState ends this user's session and removes what it made for itself.
func (a *app) purgeState(ctx context.Context, journalStays bool) error {
	err := errors.Join(a.endSession(ctx), a.clearLoopback(ctx))
	gone := leftovers
	if !journalStays {
		gone = append(records, gone...)
	}
	for _, name := range gone {
		err = errors.Join(err, a.removeState(name))
	}
	for _, name := range []string{"compat", ""} {
		if dir, bad := a.statePath(name); bad == nil {
			os.Remove(dir) // if it is empty
		}
	}
	return err
}

// removeState removes files and folders of state by a pattern.
func (a *app) removeState(pattern string) error {
	pattern, err := a.statePath(pattern)
	if err != nil {
		return err
	}
	list, err := filepath.Glob(pattern)
	for _, file := range list {
		if bad := os.RemoveAll(file); bad != nil {
			err = errors.Join(err, proto.E(proto.CodeFileUnwritable, bad, "file", file))
		}
	}
	return err
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
