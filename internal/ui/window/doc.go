// SPDX-License-Identifier: GPL-3.0-or-later

// Package window is the prompt as a native window, drawn with Gio.
//
// # Contract
//
// One [Window] is one question and one process: the asking screen, the PIN after a wrong one, the wait and the outcome
// follow each other in the same window. It is a ui.Body.
//
// # Against slips and tricks
//
// The window is deaf for 700 ms after its first frame, after a change, and when it gets the keyboard; every key pressed in that
// time starts it again. An order counts only when the window was on screen as listening before it came. Whoever was typing
// elsewhere when the window came up can neither approve nor fill the PIN field. The focus never starts on "Sign". Closing the
// window and Escape reject.
//
// # PIN
//
// The PIN field takes one key at a time into a secret.Buffer and draws dots. There is no text editor, no selection and no
// clipboard behind it. Gio hands over each character as a string and remembers the last few until the next frame, so the
// field asks for a frame after every key, and the freed memory is returned to the system once the PIN is sent. The eye draws the
// characters from a table, see glyphs. A PIN is taken whole or not at all, and one with letters that are not Latin is confirmed twice.
//
// # Keyboard
//
// The focus starts in the PIN field, or on "Reject" where no PIN is typed. Enter in the PIN field signs when something was
// typed, otherwise moves to "Reject". Tab and Shift+Tab go round: PIN, its repetition, Reject, Sign, then the "View"
// buttons, each before those that change how its document is shown. Shift+Tab on Reject reaches the eye, which is open while Space is
// held. Enter or Space press a button. While one of a document's buttons has the keyboard, arrows, Page Up, Page Down, Home and End
// scroll that document, otherwise Page Up and Page Down scroll the window. On the outcome Enter and Escape close.
//
// # Trees
//
// An XML document is shown as a tree first. What its signature will cover stands on a tint beside a bar, and where that is
// not all of it, each part begins with a word that says whether it is signed. What the strict reader refuses is shown as text.
//
// # Concurrency
//
// The methods of ui.Body come from the connection's goroutines, drawing runs in one of its own; they meet in the state
// behind one mutex. Main must run on the main goroutine of the program.
//
// # Why so
//
//   - Colours come from ui/look; a test computes their contrast. Each kind of question has a colour, a sign and a title of its
//     own; decryption and key generation have no method yet.
//   - Deafness. An order counts only when the window was on screen as listening before it came. For 700 ms after the first frame,
//     a change or the return of the keyboard nothing does, each key pressed meanwhile starts the time again, and presses that no
//     button took are dropped with a frame of their own. Three habits of Gio 0.8 had to be met: it tells of the keyboard's
//     leaving and coming back between two frames only how it ended (the focused widget hears both), a disabled Clickable still
//     takes the mouse, and events wait until something draws a frame.
//   - Never a part of a PIN. A character that comes while the window is deaf empties the field, and the window says so. Changes
//     by the person's own hand (a document opened) make it deaf to orders, not to characters.
//   - The keyboard. ui/display asks X11 (XKB, over a connection without cgo) or Windows for layout and Caps Lock. Wayland tells
//     neither: there Caps Lock is guessed from letters and Shift, and the layout is known once a letter is typed. A PIN with
//     letters that are not Latin is sent at the second confirmation only.
//   - The eye draws a PIN from a table of glyphs made once in the order of the alphabet: no text of it is made, and the toolkit's
//     caches hold nothing of its order.
//   - Failure. The outcome of a request that failed offers the doctor: the main window, started as the tray starts it.
//   - Touch. PKCS#11 has no word for it. Models that are known for it get the step when a signature takes over 2 s.
package window
