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
package home
