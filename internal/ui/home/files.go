// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gioui.org/io/clipboard"
	"gioui.org/io/key"
	"gioui.org/io/semantic"
	"gioui.org/io/transfer"
	"gioui.org/layout"
	"gioui.org/widget"
	"gioui.org/widget/material"

	"persten/internal/ui"
	"persten/internal/ui/look"
)

// files is the window's own list of files. It is there on every system and under every desktop, and can be used by keys.
type files struct {
	open    bool
	title   string
	endings []string
	then    func(path string)

	dir     string
	entries []entry
	shown   []int // of entries, those with the search in their name
	fault   error
	refocus bool

	rows       []widget.Clickable
	list       widget.List
	up, cancel widget.Clickable
	jumps      []widget.Clickable
	places     []place
	search     widget.Editor
}

// choose opens the list; then gets the path of the file that was taken.
func (f *files) choose(title string, endings []string, then func(path string)) {
	f.open, f.title, f.endings, f.then, f.refocus = true, title, endings, then, true
	f.places = places()
	f.jumps = make([]widget.Clickable, len(f.places))
	if f.dir == "" {
		f.dir = keepIn()
	}
	f.enter(f.dir)
}

func (f *files) close() { f.open = false }

// enter shows a folder.
func (f *files) enter(dir string) {
	f.dir = dir
	f.search.SetText("")
	f.entries, f.fault = listFolder(dir, f.endings)
	f.rows = make([]widget.Clickable, len(f.entries))
	f.list.Position = layout.Position{}
	f.find()
}

// find keeps the entries with the search in their name.
func (f *files) find() {
	what := strings.ToLower(strings.TrimSpace(f.search.Text()))
	f.shown = f.shown[:0]
	for i, e := range f.entries {
		if strings.Contains(strings.ToLower(e.name), what) {
			f.shown = append(f.shown, i)
		}
	}
}

// take opens a folder, or ends the choice with a file.
func (f *files) take(e entry) {
	path := filepath.Join(f.dir, e.name)
	if e.folder {
		f.enter(path)
		return
	}
	f.open = false
	f.then(path)
}

func (f *files) press(gtx layout.Context) {
	if clicked(gtx, &f.cancel) {
		f.close()
	}
	if clicked(gtx, &f.up) {
		f.enter(filepath.Dir(f.dir))
	}
	for i := range f.jumps {
		if clicked(gtx, &f.jumps[i]) {
			f.enter(f.places[i].path)
		}
	}
	for {
		e, ok := f.search.Update(gtx)
		if !ok {
			break
		}
		if _, enter := e.(widget.SubmitEvent); enter {
			f.submit()
			return
		}
		f.find()
	}
	for _, i := range f.shown {
		if clicked(gtx, &f.rows[i]) {
			f.take(f.entries[i])
			return
		}
	}
}

// submit takes what the search names: a path, or the only entry left.
func (f *files) submit() {
	if path, ok := localPath(strings.TrimSpace(f.search.Text())); ok {
		if fi, err := os.Stat(path); err == nil && fi.IsDir() {
			f.enter(path)
		} else if err == nil {
			f.open = false
			f.then(path)
		} else {
			f.fault = err
		}
		return
	}
	if len(f.shown) > 0 {
		f.take(f.entries[f.shown[0]])
	}
}

func (f *files) layout(h *Home, gtx layout.Context) layout.Dimensions {
	f.press(gtx)
	if f.refocus {
		f.refocus = false
		gtx.Execute(key.FocusCmd{Tag: &f.search})
	}
	f.search.Submit = true
	jumps := []layout.Widget{h.other(&f.up, h.say("home.files.up"))}
	for i, p := range f.places {
		jumps = append(jumps, h.other(&f.jumps[i], h.say("home.files."+p.name)))
	}
	top := layoutInset(24, 0, 24, 10, spaced(8, wrap(6, jumps...), h.soft(ui.Safe(f.dir, 110)), h.Field(&f.search, h.say("home.files.search"), h.Blue)))
	return layout.Flex{Axis: layout.Vertical}.Layout(gtx,
		layout.Rigid(h.head(f.title, h.say("home.files.about"), h.other(&f.cancel, h.say("home.cancel")))),
		layout.Rigid(top),
		layout.Flexed(1, f.rowsOf(h)),
	)
}

func (f *files) rowsOf(h *Home) layout.Widget {
	f.list.Axis = layout.Vertical
	switch {
	case f.fault != nil:
		return layoutInset(24, 0, 24, 0, h.fault(h.faultOf(pathError(f.fault, f.dir))))
	case len(f.shown) == 0:
		return layoutInset(24, 4, 24, 0, h.soft(h.say("home.files.none")))
	}
	return func(gtx layout.Context) layout.Dimensions {
		return material.List(h.Material, &f.list).Layout(gtx, len(f.shown), func(gtx layout.Context, i int) layout.Dimensions {
			n := f.shown[i]
			return layoutInset(24, 0, 14, 2, h.listed(&f.rows[n], f.entries[n].shown, f.entries[n].folder))(gtx)
		})
	}
}

// listed is a line of the list of files.
func (h *Home) listed(c *widget.Clickable, name string, folder bool) layout.Widget {
	return func(gtx layout.Context) layout.Dimensions {
		fill, frame := h.Paper, h.Rule
		if c.Hovered() {
			fill = look.Mix(h.Rule, h.Paper, 0.5)
		}
		if gtx.Focused(c) {
			frame = h.Blue
		}
		label := look.Label{Size: 14, Lines: 1}
		if folder {
			label.Color, label.Bold = h.Blue, true
			name += "/"
		}
		return c.Layout(gtx, func(gtx layout.Context) layout.Dimensions {
			semantic.Button.Add(gtx.Ops)
			return look.Panel(fill, frame, 5, 8, h.Text(name, label))(gtx)
		})
	}
}

// pathError gives an error of a file its path, where it has none.
func pathError(err error, path string) error {
	if p := (*os.PathError)(nil); errors.As(err, &p) {
		return err
	}
	return &os.PathError{Op: "open", Path: path, Err: err}
}

// paste asks for what the clipboard holds; file managers put the paths of copied files there.
func (h *Home) paste(gtx layout.Context) {
	if h.page == Sign && h.session != nil && !h.chosen.open {
		gtx.Execute(clipboard.ReadCmd{Tag: h})
	}
}

// pasted takes the answer of the clipboard.
func (h *Home) pasted(gtx layout.Context) {
	for {
		e, ok := gtx.Event(transfer.TargetFilter{Target: h, Type: "application/text"})
		if !ok {
			return
		}
		d, ok := e.(transfer.DataEvent)
		if !ok {
			continue
		}
		r := d.Open()
		data, err := io.ReadAll(io.LimitReader(r, maxPasted+1))
		r.Close()
		if path, is := pastedPath(string(data)); err == nil && is {
			h.give(path)
		}
	}
}
