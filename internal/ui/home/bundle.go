// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"time"

	"gioui.org/layout"
	"gioui.org/unit"
	"gioui.org/widget"
	"gioui.org/widget/material"

	"persten/internal/ui"
	"persten/internal/ui/look"
	"persten/proto"
)

// bundlePanel shows what the archive for support holds, and the letter that goes with it, before anything is written.
type bundlePanel struct {
	h                  *Home
	make, keep, cancel widget.Clickable
	attach             choice
	about              string
	making, saving     job
	ready              *proto.DoctorBundleResult
	letter             widget.Editor
	saved              []string
}

func newBundle(h *Home) bundlePanel { return bundlePanel{h: h, attach: newChoice("off", "off", "on")} }

func (b *bundlePanel) press(gtx layout.Context, about string) {
	if clicked(gtx, &b.make) {
		b.about = shorten(about)
		b.request()
	}
	if b.attach.changed(gtx) {
		b.request()
	}
	if clicked(gtx, &b.cancel) {
		b.drop()
	}
	if clicked(gtx, &b.keep) {
		b.save()
	}
	for {
		if _, ok := b.letter.Update(gtx); !ok {
			break
		}
	}
}

// request has the archive made; it is shown and not yet kept.
func (b *bundlePanel) request() {
	b.drop()
	b.saved = nil
	params := proto.DoctorBundleParams{About: b.about, Attach: b.attach.value == "on"}
	ask(b.h, &b.making, proto.MethodDoctorBundle, params, func(r *proto.DoctorBundleResult) {
		b.ready = r
		b.letter.SetText(r.Letter)
	})
}

// drop forgets the archive that was shown.
func (b *bundlePanel) drop() {
	if r, s := b.ready, b.h.session; r != nil && s != nil {
		go drop(s, r.Handle)
	}
	b.ready = nil
}

// save puts archive and letter among the downloads.
func (b *bundlePanel) save() {
	r, s, letter := b.ready, b.h.session, b.letter.Text()
	if r == nil {
		return
	}
	path := filepath.Join(keepIn(), "persten-support-"+time.Now().Format(time.DateOnly))
	b.h.begin(&b.saving, "", func(ctx context.Context) (func(), error) {
		archive, err := writeNew(path+".zip", func(w io.Writer) error { return s.Download(ctx, proto.Content{Handle: r.Handle}, w) })
		if err != nil {
			return nil, err
		}
		text, err := writeNew(path+".txt", func(w io.Writer) error { _, err := io.WriteString(w, letter); return err })
		drop(s, r.Handle)
		return func() { b.ready, b.saved = nil, []string{archive, text} }, err
	})
}

func (b *bundlePanel) items() (items []layout.Widget) {
	h := b.h
	for _, w := range []layout.Widget{h.working(&b.making, nil, h.say("home.doctor.bundling")), h.working(&b.saving, nil, h.say("home.doctor.bundling"))} {
		if w != nil {
			items = append(items, w)
		}
	}
	for _, s := range b.saved {
		items = append(items, h.card(Good, h.toned(Good, h.say("home.saved", "file", ui.Safe(s, maxFact)))))
	}
	if b.ready == nil {
		return items
	}
	rows := make([]look.Row, len(b.ready.Files))
	for i, f := range b.ready.Files {
		rows[i] = look.Row{Label: ui.Safe(f.Name, 40), Value: strings.TrimSuffix(ui.Safe(f.About, maxFact), ".") + ", " + ui.Size(h.lang, int64(f.Size))}
	}
	return append(items, h.card(Warn, spaced(8,
		h.bold(h.say("home.bundle.title")), h.soft(h.say("home.bundle.about")), h.wideTable(rows),
		row(8, h.soft(h.say("home.bundle.attach")), h.choice(&b.attach, "home.bundle.attach.")),
		h.bold(h.say("home.bundle.letter")), h.soft(h.say("home.bundle.letterabout")), b.draft,
		row(8, h.primary(&b.keep, h.say("home.bundle.save"), !b.saving.running), h.other(&b.cancel, h.say("home.cancel"))))))
}

// draft is the letter, which can be changed before it is kept.
func (b *bundlePanel) draft(gtx layout.Context) layout.Dimensions {
	h := b.h
	frame := h.Rule
	if gtx.Focused(&b.letter) {
		frame = h.Blue
	}
	e := material.Editor(h.Material, &b.letter, "")
	e.TextSize = 13
	return look.Panel(h.Paper, frame, 5, 10, func(gtx layout.Context) layout.Dimensions {
		gtx.Constraints.Max.Y = gtx.Dp(unit.Dp(260))
		return e.Layout(gtx)
	})(gtx)
}
