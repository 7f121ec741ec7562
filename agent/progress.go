// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"persten/internal/ui"
)

const (
	barAfter = time.Second            // shorter work shows nothing
	barEvery = 200 * time.Millisecond // between two looks at it
	barCells = 20
	barSpan  = 5 * time.Second // the rate is of this long ago till now
)

// bar shows on a terminal how far a file has come: bytes, rate, time left. One goroutine uses it.
type bar struct {
	a     *app
	w     io.Writer // nil shows nothing
	stage string
	total int64 // 0 when unknown
	items bool  // it counts things, not bytes
	now   func() time.Time

	done         int64
	begun, shown time.Time
	from         time.Time // beginning of the span the rate is of
	fromDone     int64
	width        int // of the line that stands there
}

// bar makes one for total bytes of what stage, a key of the texts, says. It is there for people: where the errors go to a
// terminal and no program reads along.
func (a *app) bar(stage string, total int64) *bar {
	b := &bar{a: a, stage: stage, total: total, now: time.Now}
	if f, ok := a.errOut.(*os.File); ok && !a.json && term.IsTerminal(int(f.Fd())) {
		b.w = f
	}
	b.begun = b.now()
	b.from = b.begun
	return b
}

// size is how long a file is, as far as it knows.
func size(f *os.File) int64 {
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		return info.Size()
	}
	return 0
}

// reader counts what is read of r.
func (b *bar) reader(r io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		n, err := r.Read(p)
		b.add(n)
		return n, err
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func (b *bar) add(n int) {
	if b.w == nil {
		return
	}
	now := b.now()
	if b.items && b.done == 0 { // before, a person was asked
		b.begun, b.from = now, now
	}
	b.done += int64(n)
	if now.Sub(b.begun) < barAfter || now.Sub(b.shown) < barEvery {
		return
	}
	b.shown = now
	b.put(b.line(now))
	if now.Sub(b.from) > barSpan {
		b.from, b.fromDone = now, b.done
	}
}

// line is what stands there now.
func (b *bar) line(now time.Time) string {
	rate := float64(b.done-b.fromDone) / max(now.Sub(b.from).Seconds(), 0.001)
	if now.Sub(b.from) < barAfter { // a span has just begun
		rate = float64(b.done) / now.Sub(b.begun).Seconds()
	}
	size := func(n int64) string { return ui.Size(b.a.lang, n) }
	if b.items {
		size = func(n int64) string { return strconv.FormatInt(n, 10) }
	}
	args := []string{"stage", b.a.t(b.stage), "done", size(b.done), "rate", size(int64(rate))}
	if b.total <= 0 || b.done > b.total {
		return b.a.t("cli.progress.unknown", args...)
	}
	cells := int(int64(barCells) * b.done / b.total)
	drawn := strings.Repeat("#", cells) + strings.Repeat("-", barCells-cells)
	args = append(args, "bar", drawn, "total", size(b.total))
	if rate >= 1 {
		args = append(args, "left", ui.Clock(time.Duration(float64(b.total-b.done)/rate*float64(time.Second))))
	}
	return b.a.t("cli.progress.line", args...)
}

// put writes a line over the one before.
func (b *bar) put(line string) {
	width := utf8.RuneCountInString(line)
	fmt.Fprintf(b.w, "\r%s%s", line, strings.Repeat(" ", max(0, b.width-width)))
	b.width = width
}

// clear takes the line away.
func (b *bar) clear() {
	if b.width > 0 {
		b.put("")
		fmt.Fprint(b.w, "\r")
		b.width = 0
	}
}
