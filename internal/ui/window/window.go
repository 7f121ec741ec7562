// SPDX-License-Identifier: GPL-3.0-or-later

package window

import (
	"context"
	"fmt"
	"image"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"gioui.org/app"
	"gioui.org/io/event"
	"gioui.org/io/system"
	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/unit"
	"gioui.org/widget"

	"persten/internal/secret"
	"persten/internal/signing"
	"persten/internal/text"
	"persten/internal/token"
	"persten/internal/ui"
	"persten/internal/ui/display"
	"persten/internal/ui/look"
)

// The window's size; the height follows the content within limits.
const (
	windowWidth = 580
	minHeight   = 300
	maxHeight   = 780
	border      = 64 // what the title bar and the edge of the screen may take of its height
)

// screen is what the window shows.
type screen int

const (
	asking  screen = iota // the question, with the PIN field if one will be needed
	pinning               // the same after the answer: the PIN is wanted (again)
	working               // nothing to do for the person
	ended                 // the outcome
)

// answer is a press of one of the two buttons.
type answer struct {
	yes bool
	pin *secret.Buffer // nil when none was typed
}

// Window is one prompt. New makes it, Decide shows it.
type Window struct {
	view    ui.Viewer
	doctor  func() error
	desk    *display.Display
	win     *app.Window
	look    *look.Theme
	answers chan answer
	gone    chan struct{} // closed with the window
	shown   chan struct{} // closed by the first frame
	failure error         // why it never appeared; read after gone

	held *secret.Buffer // typed with the yes, wanted a moment later

	mu      sync.Mutex // guards what follows
	screen  screen
	card    ui.Card
	pin     token.PINRequest
	wantPIN bool
	twice   bool // the PIN must be repeated
	differ  bool // the repetition was not the same
	step    signing.Step
	closing ui.Closing
	docs    []document
	opened  *bool // a document was opened (true) or closed; nil once the window has moved there
	deafTo  time.Time
	waking  bool      // the deafness is over
	lossy   bool      // while it is deaf, what is typed is not for it
	live    bool      // and it is on screen as listening
	had     event.Tag // the widget that had the keyboard, when it is none of the PIN's
	refit   bool      // the height should follow the content again
	height  unit.Dp
	metric  unit.Metric
	room    int  // the height of the screen in pixels; 0: not known
	refocus bool // the focus should go where this screen starts
	drawn   bool
	focused bool

	leave bool // the window should close itself

	batch        batch
	chooser      chooser
	lost         bool // characters of a PIN were typed in vain
	meant        bool // a PIN with letters that are not Latin was confirmed once
	field, again pinField
	reveal       reveal
	glyphs       glyphs
	keyboard     display.Keyboard
	yes, no      widget.Clickable
	stop, help   widget.Clickable
	list         widget.List
}

// New makes a window in a look of its own that shows documents through view, and offers doctor, which looks for what is wrong,
// when a request failed. With nil for one of the two the window does not offer it.
func New(theme *look.Theme, desk *display.Display, view ui.Viewer, doctor func() error) *Window {
	w := &Window{
		view: view, doctor: doctor, desk: desk, win: new(app.Window), look: theme, metric: unit.Metric{PxPerDp: 1, PxPerSp: 1},
		answers: make(chan answer, 1), gone: make(chan struct{}), shown: make(chan struct{}),
	}
	w.batch.stopped = make(chan struct{})
	w.list.Axis = layout.Vertical
	return w
}

// Decide shows q and waits for one of the buttons.
func (w *Window) Decide(ctx context.Context, q signing.Question) (signing.Decision, error) {
	lang := text.Lang(q.Lang)
	w.mu.Lock()
	w.card = ui.NewCard(q, lang)
	w.pin = q.Token.Request("", false)
	w.chooser = newChooser(w.card)
	w.wantPIN = !q.Kind.Keyless() && q.Token.LoginRequired && !q.Token.PINPad
	w.twice = w.wantPIN && q.Token.Final
	w.docs = w.documents(q.Documents[:len(w.card.Documents)])
	w.turn(asking)
	w.mu.Unlock()
	viewing, cancel := context.WithCancel(ctx)
	defer cancel()
	go w.run(viewing)

	a, err := w.wait(ctx)
	if err != nil {
		return signing.Decision{}, err
	}
	w.held = a.pin
	w.mu.Lock()
	defer w.mu.Unlock()
	viewed, how := w.seen()
	return signing.Decision{Approved: a.yes, Viewed: viewed, How: how, Chosen: max(w.chooser.chosen, 0)}, nil
}

// wait returns the next press of a button. A window that was closed has said no.
func (w *Window) wait(ctx context.Context) (answer, error) {
	select {
	case a := <-w.answers:
		return a, nil
	case <-w.gone:
		if w.failure != nil {
			return answer{}, fmt.Errorf("%w: %w", signing.ErrNoPrompt, w.failure)
		}
		return answer{}, nil
	case <-ctx.Done():
		w.vanish()
		return answer{}, ctx.Err()
	}
}

// PIN sends what was typed with the yes, or asks for it.
func (w *Window) PIN(ctx context.Context, r token.PINRequest, to *os.File) error {
	defer to.Close()
	held := w.held
	w.held = nil
	w.mu.Lock()
	usable := held != nil && !r.Wrong && (w.twice || !r.Final)
	w.mu.Unlock()
	if !usable {
		held.Wipe()
		var err error
		if held, err = w.askPIN(ctx, r); err != nil {
			return err
		}
	}
	defer forget(held)
	return held.WriteTo(to)
}

func (w *Window) askPIN(ctx context.Context, r token.PINRequest) (*secret.Buffer, error) {
	w.mu.Lock()
	w.pin, w.wantPIN, w.twice, w.differ = r, true, r.Final, false
	w.turn(pinning)
	w.mu.Unlock()
	w.redraw()
	a, err := w.wait(ctx)
	if err == nil && (!a.yes || a.pin == nil) {
		a.pin.Wipe()
		err = signing.ErrRejected
	}
	return a.pin, err
}

// forget wipes a PIN and gives the memory in which the toolkit saw its characters back to the system.
func forget(b *secret.Buffer) {
	b.Wipe()
	debug.FreeOSMemory()
}

// Progress says what is being waited for.
func (w *Window) Progress(s signing.Step) {
	w.mu.Lock()
	w.step = s
	w.mu.Unlock()
	w.redraw()
}

// Close shows the outcome until the person closes the window. After a question of access it just goes: the person has
// pressed the button that says it all.
func (w *Window) Close(ctx context.Context, o signing.Outcome) error {
	w.held.Wipe()
	w.mu.Lock()
	quiet := w.card.Kind.Keyless() && (o.Code == "" || o.Code == "user_rejected")
	if w.card.Title == "" {
		w.mu.Unlock()
		return nil // never shown
	}
	w.closing = ui.NewClosing(w.card.Kind, o, w.card.Lang)
	w.turn(ended)
	w.mu.Unlock()
	if quiet {
		w.vanish()
		return nil
	}
	w.redraw()
	select {
	case <-w.gone:
	case <-ctx.Done():
		w.vanish()
	}
	return nil
}

// turn goes to another screen. The caller holds mu.
func (w *Window) turn(s screen) {
	w.screen = s
	w.field.clear()
	w.again.clear()
	w.reveal.close()
	w.lost, w.meant = false, false
	w.hush()
	w.refit, w.refocus = true, true
	w.list.Position = layout.Position{}
}

func (w *Window) redraw() {
	w.win.Invalidate()
}

// vanish takes the window away.
func (w *Window) vanish() {
	w.mu.Lock()
	w.leave = true
	w.mu.Unlock()
	w.redraw()
	select {
	case <-w.gone:
	case <-time.After(2 * time.Second):
	}
}

// run draws until the window is closed.
func (w *Window) run(viewing context.Context) {
	defer close(w.gone)
	app.ID = "persten"
	w.room = w.desk.Room().Y
	w.mu.Lock()
	w.height = w.naturalHeight()
	w.mu.Unlock()
	w.win.Option(app.Title("Persten: "+w.card.Title), app.Size(windowWidth, w.height), app.MinSize(460, minHeight))
	w.win.Perform(system.ActionCenter)
	var ops op.Ops
	for {
		switch e := w.win.Event().(type) {
		case app.DestroyEvent:
			w.mu.Lock()
			defer w.mu.Unlock()
			w.failure = e.Err // nil when the person closed it
			w.field.clear()
			w.again.clear()
			if w.many() && w.screen == working || w.inserting() {
				w.halt() // what runs on unseen could not be stopped any more
			}
			return
		case app.ConfigEvent:
			w.configure(e.Config)
		case app.FrameEvent:
			first := w.frame(viewing, app.NewContext(&ops, e))
			e.Frame(&ops)
			w.appeared()
			w.fit(first)
		}
		w.depart()
	}
}

// depart closes the window when that was asked for. The toolkit wants it done between events.
func (w *Window) depart() {
	w.mu.Lock()
	leave := w.leave
	w.leave = false
	w.mu.Unlock()
	if leave {
		w.win.Perform(system.ActionClose)
	}
}

// configure notices when the window gets the keyboard.
func (w *Window) configure(c app.Config) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.Focused != w.focused {
		w.hush()
		w.reveal.close()
	}
	w.focused = c.Focused
}

// fit makes the window as high as its content, once for each screen. When that moves the buttons, or the window is on screen for the
// first time, it is deaf again.
func (w *Window) fit(first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if first {
		defer w.redraw()
		w.hush()
	}
	if !w.refit {
		return
	}
	w.refit = false
	title := w.card.Title
	if w.screen == ended {
		title = w.closing.Title
	}
	if height := w.naturalHeight(); height != w.height {
		w.height = height
		w.settle()
		defer w.redraw()
	}
	defer w.win.Option(app.Title("Persten: "+title), app.Size(windowWidth, w.height))
}

// naturalHeight lays everything out with no window to find how high it is. The caller holds mu.
func (w *Window) naturalHeight() unit.Dp {
	gtx := layout.Context{
		Ops: new(op.Ops), Metric: w.metric,
		Constraints: layout.Constraints{Max: image.Pt(w.metric.Dp(windowWidth), 1<<20)},
	}
	h := w.metric.PxToDp(w.header(gtx).Size.Y + w.content(gtx).Size.Y + w.footer(gtx).Size.Y)
	most := unit.Dp(maxHeight)
	if w.room > 0 {
		most = min(most, w.metric.PxToDp(w.room)-border)
	}
	return max(min(h, most), minHeight)
}

// Main runs the toolkit on the main goroutine. It does not return while a window can be shown.
func Main() { app.Main() }
