// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"gioui.org/app"
	"gioui.org/io/event"
	"gioui.org/io/key"
	"gioui.org/io/system"
	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/op/paint"
	"gioui.org/unit"
	"gioui.org/widget"

	"persten/internal/client"
	"persten/internal/rpc"
	"persten/internal/text"
	"persten/proto"
)

// The window's size.
const (
	width, height       = 1040, 720
	minWidth, minHeight = 820, 560
)

// Page is one of the six pages.
type Page = proto.WindowPage

// The pages, in the order of the rail.
const (
	Tokens   = proto.WindowPageTokens
	Sign     = proto.WindowPageSign
	Journal  = proto.WindowPageJournal
	Sites    = proto.WindowPageSites
	Settings = proto.WindowPageSettings
	Doctor   = proto.WindowPageDoctor
)

// Pages are all of them.
var Pages = []Page{Tokens, Sign, Journal, Sites, Settings, Doctor}

// Options are what the window is wired with.
type Options struct {
	Page  Page
	Lang  text.Lang
	Dial  func(ctx context.Context, lang text.Lang, hear rpc.Handler) (*client.Client, error)
	Start func() error                                                           // starts a session that outlives the window
	Words func(lang text.Lang, file string, r *proto.Report) []Line              // a report of a verification, in words
	Dark  func(proto.Theme) bool                                                 // what "system", "light" or "dark" means on this desktop
	Drops func(ctx context.Context, window uint32, give func(list string)) error // takes files dropped on an X11 window
	Faces func(context.Context) []Face                                           // the other programs Persten answers for
	Paths func() []Path                                                          // where things lie
}

// Line is one line of a report in words.
type Line struct {
	Depth   int
	Tone    Tone
	Heading bool
	Text    string
}

// Path is a file or folder that Settings shows; Name is a key of the texts.
type Path struct{ Name, Path string }

// Tone is what a line means to the person.
type Tone int

// Face is a program whose pages Persten serves; all strings are safe to draw.
type Face struct {
	Name, Address string
	On            bool
}

// The tones.
const (
	Plain Tone = iota
	Good
	Warn
	Bad
)

// page is what the window asks of each page.
type page interface {
	enter()                                      // it is on screen now, or the session is there again
	tokens()                                     // a token came or went
	scrolled() *widget.List                      // what the page keys move
	layout(gtx layout.Context) layout.Dimensions // its content, scrolling by itself
}

// Home is the window.
type Home struct {
	kit
	o      Options
	win    *app.Window
	ctx    context.Context
	pages  map[Page]page
	page   Page
	rail   rail
	chosen files // the list of files, when it is open

	session *client.Client // nil: none answers
	waited  bool           // one try to connect is over
	drops   bool           // files can be dropped here
	status  proto.AgentStatusResult
	start   job

	mu     sync.Mutex // guards what follows
	posts  []func()
	spoken text.Lang // the language of the next connection
}

// Run shows the window until the person closes it or ctx ends.
func Run(ctx context.Context, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h := &Home{o: o, spoken: o.Lang, ctx: ctx, win: new(app.Window), kit: newKit(o.Lang, o.Dark(proto.ThemeSystem))}
	h.pages = map[Page]page{
		Tokens: newTokens(h), Sign: newSign(h), Journal: newJournal(h),
		Sites: newSites(h), Settings: newSettings(h), Doctor: newDoctor(h),
	}
	h.page = Tokens
	if slices.Contains(Pages, o.Page) {
		h.page = o.Page
	}
	go h.follow(ctx)
	context.AfterFunc(ctx, func() { h.win.Perform(system.ActionClose) })
	return h.draw()
}

func (h *Home) draw() error {
	app.ID = "persten"
	h.win.Option(app.Title("Persten"), app.Size(width, height), app.MinSize(unit.Dp(minWidth), unit.Dp(minHeight)))
	h.win.Perform(system.ActionCenter)
	var ops op.Ops
	for {
		e := h.win.Event()
		if w, ok := xWindow(e); ok {
			go h.listen(w)
		}
		switch e := e.(type) {
		case app.DestroyEvent:
			return e.Err
		case app.FrameEvent:
			gtx := app.NewContext(&ops, e)
			h.catchUp()
			h.frame(gtx)
			e.Frame(&ops)
		}
	}
}

// listen takes the files that are dropped on the window, as long as that can be had.
func (h *Home) listen(window uint32) {
	h.post(func() { h.drops = true })
	err := h.o.Drops(h.ctx, window, func(list string) {
		if path, ok := pastedPath(list); ok {
			h.post(func() { h.give(path) })
			h.win.Perform(system.ActionRaise)
		}
	})
	slog.Debug("no files can be dropped", "cause", err)
	h.post(func() { h.drops = false })
}

// give takes a file that was dropped or pasted.
func (h *Home) give(path string) {
	if h.session != nil {
		h.open(Sign)
		h.pages[Sign].(*signPage).give(path)
	}
}

// post has the drawing goroutine call f ahead of the next frame.
func (h *Home) post(f func()) {
	h.mu.Lock()
	h.posts = append(h.posts, f)
	h.mu.Unlock()
	h.win.Invalidate()
}

func (h *Home) catchUp() {
	h.mu.Lock()
	posts := h.posts
	h.posts = nil
	h.mu.Unlock()
	for _, f := range posts {
		f()
	}
}

// open turns to a page.
func (h *Home) open(p Page) {
	if _, ok := h.pages[p]; !ok {
		return
	}
	h.chosen.close()
	h.page = p
	if h.session != nil {
		h.pages[p].enter()
	}
}

func (h *Home) frame(gtx layout.Context) {
	h.keys(gtx)
	paint.Fill(gtx.Ops, h.Ground)
	layout.Flex{}.Layout(gtx,
		layout.Rigid(h.drawRail),
		layout.Flexed(1, func(gtx layout.Context) layout.Dimensions {
			gtx.Constraints.Min = gtx.Constraints.Max
			switch {
			case h.session == nil && !(h.page == Doctor || h.page == Settings):
				return h.absent(gtx)
			case h.chosen.open:
				return h.chosen.layout(h, gtx)
			}
			return h.pages[h.page].layout(gtx)
		}),
	)
}

// shortcuts are the keys that mean the same on every page, with Ctrl: choose a file, search, save what is shown, do what the page is for.
const (
	keyOpen   key.Name = "O"
	keySearch key.Name = "F"
	keySave   key.Name = "S"
	keyDo              = key.NameReturn
	keyPaste  key.Name = "V"
)

// keyed is a page that knows shortcuts.
type keyed interface {
	key(gtx layout.Context, name key.Name)
}

// keys turns pages by Ctrl and a digit, and hands shortcuts to the page.
func (h *Home) keys(gtx layout.Context) {
	event.Op(gtx.Ops, h)
	var filters []event.Filter
	for _, name := range []key.Name{key.NameEscape, key.NamePageDown, key.NamePageUp, key.NameHome, key.NameEnd} {
		filters = append(filters, key.Filter{Name: name})
	}
	for _, name := range []key.Name{keyOpen, keySearch, keySave, keyDo, keyPaste, "1", "2", "3", "4", "5", "6"} {
		filters = append(filters, key.Filter{Name: name, Required: key.ModCtrl})
	}
	for {
		e, ok := gtx.Event(filters...)
		if !ok {
			return
		}
		if k, is := e.(key.Event); is && k.State == key.Press {
			h.pressed(gtx, k.Name)
		}
	}
}

func (h *Home) pressed(gtx layout.Context, name key.Name) {
	switch name {
	case keyPaste:
		h.paste(gtx)
	case key.NameEscape:
		h.chosen.close()
	case key.NamePageDown, key.NamePageUp, key.NameHome, key.NameEnd:
		h.scrollBy(name, gtx.Constraints.Max.Y*2/3)
	case keyOpen, keySearch, keySave, keyDo:
		if p, is := h.pages[h.page].(keyed); is && h.session != nil && !h.chosen.open {
			p.key(gtx, name)
		}
	default:
		h.open(Pages[int(name[0]-'1')])
	}
	gtx.Execute(op.InvalidateCmd{})
}

// scrollBy moves the page by a key that means that, a screenful or to an end.
func (h *Home) scrollBy(name key.Name, screenful int) {
	l := h.pages[h.page].scrolled()
	if h.chosen.open {
		l = &h.chosen.list
	}
	switch name {
	case key.NameHome:
		l.Position = layout.Position{BeforeEnd: true}
	case key.NameEnd:
		l.Position = listEnd
	case key.NamePageUp:
		l.Position.Offset, l.Position.BeforeEnd = l.Position.Offset-screenful, true
	case key.NamePageDown:
		l.Position.Offset, l.Position.BeforeEnd = l.Position.Offset+screenful, true
	}
}

// tick has the window drawn again a while from now, for what moves by itself.
func (h *Home) tick(gtx layout.Context, after time.Duration) {
	gtx.Execute(op.InvalidateCmd{At: gtx.Now.Add(after)})
}

// Main runs the toolkit on the main goroutine. It does not return while a window can be shown.
func Main() { app.Main() }
