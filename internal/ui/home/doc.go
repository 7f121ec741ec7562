// SPDX-License-Identifier: GPL-3.0-or-later

// Package home is the main window: tokens and certificates, signing and verifying files, journal, sites, settings, doctor.
//
// # Contract
//
// [Run] draws until the person closes the window. It is an ordinary client of the session's local API and does nothing the
// command line could not; keys and PINs never come here, because the session asks in a prompt of its own. What the session
// at hand does not offer (agent.hello's capabilities) is not shown. A session that is not there, or goes away, is said so,
// and the window connects again by itself.
//
// # Concurrency
//
// Everything a page holds belongs to the drawing goroutine. Work beside it is begun with Home.begin and hands its result
// back as a function that the drawing goroutine calls ahead of the next frame.
//
// What comes from outside (certificates, journal, sites, file names) is made safe to draw in the models, ahead of drawing.
//
// # Why so
//
// persten-desktop window [PAGE] runs outside the unit's sandbox (the user's service manager starts it for the tray), because it
// writes signatures beside the person's documents.
//
//   - A client, nothing more. Everything it shows or does is a method that persten has as a command. What agent.hello does not
//     list is not shown.
//   - One goroutine draws. Work beside it hands back a function that runs ahead of the next frame (Home.begin), so pages need no
//     locks. Models are pure functions from answers to safe strings; tests look at these.
//   - One instance. It registers with window.serve; a second start is a window.show, which raises the first at a page.
//   - Files are never overwritten: a name that is taken gets a number.
//   - Dragging. Gio 0.8 takes no files from other programs. ui/drop makes a window of its own the XDND proxy of ours, over an X
//     connection without cgo. Under Wayland and Windows there is Ctrl+V of a copied file and the window's own list of files.
package home
