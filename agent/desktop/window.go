// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"persten/internal/client"
	"persten/internal/config"
	"persten/internal/rpc"
	"persten/internal/text"
	"persten/internal/ui"
	"persten/internal/ui/drop"
	"persten/internal/ui/home"
	"persten/internal/ui/report"
	"persten/proto"
)

// mainWindow is the role of the main window. A window that is there already is raised, and this process ends. The toolkit
// keeps the main goroutine.
func mainWindow(page home.Page) {
	if !slices.Contains(home.Pages, page) {
		usage()
	}
	go func() {
		ctx := untilSignalled()
		if raised(ctx, page) {
			exit(nil)
		}
		exit(home.Run(ctx, home.Options{
			Page: page, Lang: text.FromEnv(), Dial: dial, Start: startSession, Words: words, Drops: drop.Listen, Faces: faces, Paths: paths, Dark: dark,
		}))
	}()
	home.Main()
}

// dial connects to the user's session.
func dial(ctx context.Context, lang text.Lang, hear rpc.Handler) (*client.Client, error) {
	socket, err := config.SocketPath()
	if err != nil {
		return nil, err
	}
	return client.Dial(ctx, socket, proto.AgentHelloParams{Lang: proto.Lang(lang), Client: "persten-desktop window"}, hear)
}

// raised asks the session to raise the main window that is there already, if one is.
func raised(ctx context.Context, page home.Page) bool {
	c, err := dial(ctx, text.FromEnv(), client.ListenOnly)
	if err != nil {
		return false
	}
	defer c.Close()
	r, err := client.Ask[proto.WindowShowResult](ctx, c, proto.MethodWindowShow, proto.WindowShowParams{Page: page})
	return err == nil && r.Shown
}

// persten is the program of the agent, which lies beside this one.
func persten() (string, error) {
	me, err := os.Executable()
	if err != nil {
		return "", err
	}
	name := "persten"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	p := filepath.Join(filepath.Dir(me), name)
	_, err = os.Stat(p)
	return p, err
}

// startSession starts a session that outlives this window.
func startSession() error {
	program, err := persten()
	if err != nil {
		return err
	}
	cmd := exec.Command(program, "session")
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}

// words is the report of a verification as the window shows it.
func words(lang text.Lang, file string, r *proto.Report) []home.Line {
	var list []home.Line
	for _, l := range report.Lines(report.Document{Lang: lang, File: file, Report: r}) {
		tone := map[string]home.Tone{"good": home.Good, "bad": home.Bad, "unsure": home.Warn}[l.Look]
		list = append(list, home.Line{Depth: l.Depth, Tone: tone, Heading: l.Look == "" && strings.HasSuffix(l.Text, ":"), Text: l.Text})
	}
	return list
}

// faceNames are the names of the products, by those the command line has.
var faceNames = map[string]string{"ncalayer": "NCALayer", "nexu": "NexU"}

// faces asks the command line which programs Persten answers for.
func faces(ctx context.Context) (list []home.Face) {
	program, err := persten()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "compat", "status", "--json").Output()
	if err != nil || json.Unmarshal(out, &list) != nil {
		return nil
	}
	for i, f := range list {
		list[i].Name, list[i].Address = cmp.Or(faceNames[f.Name], ui.Safe(f.Name, 20)), ui.Safe(f.Address, 40)
	}
	return list
}

// paths are the places that Settings shows.
func paths() (list []home.Path) {
	add := func(name, path string, err error) {
		if err == nil {
			list = append(list, home.Path{Name: name, Path: path})
		}
	}
	dir, err := config.ConfigDir()
	file := filepath.Join(dir, "config.toml")
	if named := os.Getenv("PERSTEN_CONFIG"); named != "" {
		file, err = named, nil
	}
	add("config", file, err)
	dir, err = config.StateDir()
	add("state", dir, err)
	dir, err = config.SocketPath()
	add("socket", dir, err)
	dir, err = persten()
	add("program", dir, err)
	return list
}
