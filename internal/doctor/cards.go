// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"persten/internal/token"
)

// device is a USB device that is a card reader or a token.
type device struct {
	vendor, product string // ids
	name            string
	reader          bool // it says itself that it is a card reader
}

// pcscPrograms are where the daemon is installed.
var pcscPrograms = []string{"/usr/sbin/pcscd", "/usr/bin/pcscd", "/usr/local/sbin/pcscd"}

// pcscSocket is where clients find it.
func (m *Machine) pcscSocket() string {
	return cmp.Or(m.Env("PCSCLITE_CSOCK_NAME"), m.path("/run/pcscd/pcscd.comm"))
}

func (m *Machine) drivers() []Driver {
	if m.Drivers == nil {
		return nil
	}
	return m.Drivers()
}

// plugged are the readers and tokens in USB.
func plugged(m *Machine) []device {
	vendors := map[string]bool{}
	for _, d := range m.drivers() {
		for _, id := range d.USB {
			vendors[id] = true
		}
	}
	return devices(m, vendors)
}

// checkPCSC looks whether the service behind all card readers is there and lets this user in.
func checkPCSC(ctx context.Context, m *Machine) []Finding {
	if !checksModes {
		return nil // the service of Windows is always there
	}
	level := Warning
	if len(plugged(m)) > 0 {
		level = Problem
	}
	socket := m.pcscSocket()
	_, err := readers(ctx, m, socket)
	var timeout interface{ Timeout() bool }
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission):
		return []Finding{problem("pcscd_forbidden", socket)}
	case errors.Is(err, errRejected):
		return []Finding{problem("pcscd_denied", m.Env("USER"))}
	case errors.Is(err, errVersion):
		return []Finding{warning("pcscd_version", "")}
	case errors.As(err, &timeout) && timeout.Timeout():
		return []Finding{problem("pcscd_hung", "")}
	case !slices.ContainsFunc(pcscPrograms, m.exists):
		if level == Problem { // nobody misses it where there is no reader
			return []Finding{problem("pcscd_absent", "")}
		}
		return nil
	}
	return []Finding{found(level, "pcscd_stopped", "")}
}

// checkReaders looks at readers and what is in them.
func checkReaders(ctx context.Context, m *Machine) (list []Finding) {
	if !checksModes {
		return nil
	}
	usb := plugged(m)
	all, err := readers(ctx, m, m.pcscSocket())
	tokens, failed := m.tokens(ctx)
	if err == nil && len(all) == 0 {
		for _, d := range usb {
			list = append(list, problem("reader_unseen", d.name, "id", d.vendor+":"+d.product))
		}
	}
	cards := 0
	for _, r := range all {
		if r.mute() {
			list = append(list, problem("card_mute", r.name))
		} else if r.present() {
			cards++
		}
	}
	hard := slices.ContainsFunc(tokens, func(t token.Info) bool { return !m.soft(t) })
	if cards > 0 && !hard && failed == nil {
		for _, r := range all {
			if r.present() && !r.mute() {
				list = append(list, warning("card_unknown", r.name, "atr", r.atr))
			}
		}
	}
	if m.Keys != nil && failed == nil && len(tokens) == 0 && cards == 0 && len(usb) == 0 && len(list) == 0 {
		list = append(list, warning("token_none", ""))
	}
	return list
}

func (m *Machine) tokens(ctx context.Context) ([]token.Info, error) {
	if m.Keys == nil {
		return nil, nil
	}
	return m.Keys.Tokens(ctx)
}

// soft tells that a token is no card: its module keeps keys in files or in the computer.
func (m *Machine) soft(t token.Info) bool {
	i := slices.IndexFunc(m.drivers(), func(d Driver) bool { return d.Name == t.Module })
	return i < 0 || m.drivers()[i].Soft
}

// checkDrivers looks at the libraries of token makers: missing ones, and those that cannot work.
func checkDrivers(ctx context.Context, m *Machine) (list []Finding) {
	all := m.drivers()
	for _, d := range plugged(m) {
		list = append(list, missing(all, d)...)
	}
	bad := map[string]bool{}
	for _, d := range all {
		if f, ok := judgeDriver(d); ok {
			list = append(list, f)
			bad[d.Name] = true
		}
	}
	_, err := m.tokens(ctx)
	for _, e := range moduleErrors(err) {
		if !bad[e.Module] {
			list = append(list, found(m.weight(e.Module), "driver_"+e.Kind(), e.Module, "path", e.Path, "kind", strings.ReplaceAll(e.Kind(), "_", "")))
		}
	}
	return list
}

// weight is how much the failure of a library hinders. One for keys in files that came with the system, and that nobody named, is
// seldom what people sign with.
func (m *Machine) weight(module string) Level {
	if slices.ContainsFunc(m.drivers(), func(d Driver) bool { return d.Name == module && d.Soft && !d.Named }) {
		return Note
	}
	return Problem
}

// missing says that nothing is installed for a device that is plugged in.
func missing(all []Driver, d device) []Finding {
	var maker *Driver
	for i := range all {
		if !slices.Contains(all[i].USB, d.vendor) {
			continue
		}
		if all[i].Path != "" {
			return nil
		}
		maker = &all[i]
	}
	if maker == nil {
		return nil
	}
	return []Finding{problem("driver_missing", d.name, "vendor", maker.Vendor, "tokens", maker.Tokens)}
}

// judgeDriver looks at a library without loading it.
func judgeDriver(d Driver) (Finding, bool) {
	switch bits, err := library(d.Path); {
	case d.Path == "":
		return Finding{}, false
	case d.Fault != nil && !d.Named:
		return warning("driver_untrusted", d.Name, "path", d.Path), true
	case errors.Is(err, fs.ErrNotExist):
		return problem("driver_"+token.ReasonAbsent, d.Name, "path", d.Path, "kind", token.ReasonAbsent), true
	case errors.Is(err, os.ErrPermission):
		return problem("driver_unreadable", d.Name, "path", d.Path), true
	case errors.Is(err, errArchitecture):
		return problem("driver_architecture", d.Name, "path", d.Path, "bits", bits), true
	}
	return Finding{}, false
}

// moduleErrors are those joined in an error.
func moduleErrors(err error) (list []*token.ModuleError) {
	var one *token.ModuleError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			list = append(list, moduleErrors(e)...)
		}
	} else if errors.As(err, &one) {
		list = append(list, one)
	}
	return list
}
