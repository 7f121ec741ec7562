// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"persten/internal/cert"
	"persten/internal/config"
	"persten/internal/token"
	"persten/proto"
)

// Machine is all a check may look at. New gives one that looks at this computer; the agent adds what only it knows. A nil
// function means that the thing cannot be looked at from here, and the checks that need it find nothing.
type Machine struct {
	Root string // stands before the system's absolute paths; empty for this computer itself
	Env  func(name string) string
	Now  func() time.Time
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Command runs a program and returns the beginning of what it prints.
	Command func(ctx context.Context, program string, args ...string) ([]byte, error)

	Program string // absolute path of persten
	Desktop string // absolute path of persten-desktop, empty when it is not there
	Version string // of this program
	State   string // folder of the journal and the decisions
	Socket  string // of the user's session
	Sharer  string // socket of the service that shares the port between users

	// Copies are the folders into which packages installed this program.
	Copies func() []string
	Config func() (*config.Config, error)
	// Status asks the running session. The error is proto.CodeAgentNotRunning when there is none.
	Status func(ctx context.Context) (*proto.AgentStatusResult, error)
	// Keys are the tokens. Errors of modules come joined, as token.Inventory says.
	Keys    token.Inventory
	Drivers func() []Driver
	// Trust is what certificates are checked with, its source of revocation included.
	Trust func() cert.Trust
	// KeepIssuer keeps a certificate that chains may go through, TrustRoot one they may end in.
	KeepIssuer, TrustRoot func(*cert.Certificate) error
	// RenewLists fetches the revocation lists of a certificate's chain.
	RenewLists func(ctx context.Context, c *cert.Certificate) error
	// AddKeyfile makes a token of a key file; the person is asked for its password.
	AddKeyfile func(ctx context.Context, path string) error
	Journal    func() (proto.JournalVerifyResult, error)
	// Reach asks for an address as signatures would, through the proxy in force, and returns the server's clock, zero when it
	// does not tell. Errors are of the catalogue: network_, proxy_.
	Reach func(ctx context.Context, url string) (time.Time, error)
	// Display is the environment of a window's process, of which DISPLAY and WAYLAND_DISPLAY are read.
	Display func(ctx context.Context) map[string]string
	// Tray tells whether the desktop shows icons of programs; the error is that there is no session bus to ask.
	Tray func(ctx context.Context) (bool, error)
	// Hosts writes the native-host manifests of all browsers found, and Start starts a session.
	Hosts func() error
	Start func() error

	Certificate string // id of the one certificate a run looks at, or empty
}

// Driver is a PKCS#11 library of the catalogue or of the configuration.
type Driver struct {
	Name   string
	Vendor string   // who makes it
	Tokens string   // what it is for, as people call them
	USB    []string // the vendor's USB ids, four lower hex digits
	Path   string   // where it is, empty when it is not installed
	Named  bool     // by the configuration
	Soft   bool     // it keeps keys in files or in the computer, not on cards
	Fault  error    // why the file that is there is not used
}

// This returns a machine that looks at the computer it runs on.
func This() *Machine {
	return &Machine{
		Env: os.Getenv, Now: time.Now, Dial: (&net.Dialer{}).DialContext, Command: command,
	}
}

// Limits of what is read.
const (
	maxFile   = 4 << 20
	maxOutput = 64 << 10
)

// path is a path of the system.
func (m *Machine) path(name string) string { return filepath.Join(m.Root, name) }

// exists tells whether there is something at a path of the system.
func (m *Machine) exists(name string) bool {
	_, err := os.Stat(m.path(name))
	return err == nil
}

// read returns the beginning of a file of the system, maxFile at most.
func (m *Machine) read(name string) ([]byte, error) { return readSome(m.path(name)) }

func readSome(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil || fi.Mode()&(fs.ModeNamedPipe|fs.ModeDevice|fs.ModeSocket|fs.ModeDir) != 0 {
		return nil, errors.Join(err, &fs.PathError{Op: "read", Path: path, Err: fs.ErrInvalid})
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

func command(ctx context.Context, program string, args ...string) ([]byte, error) {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout = &limited{&out}
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	return out.Bytes(), err
}

// limited keeps maxOutput bytes and drops the rest.
type limited struct{ b *bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.b.Write(p[:min(len(p), max(0, maxOutput-l.b.Len()))])
	return len(p), nil
}
