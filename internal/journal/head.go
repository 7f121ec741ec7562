// SPDX-License-Identifier: GPL-3.0-or-later

package journal

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
)

// The head has one length always, so that one write replaces it. It is written after its line is on disk and not synced:
// after a power loss it may be behind the file, never before it.
const headFormat = "%020d %s\n"

var hashPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

var headPattern = regexp.MustCompile(`^(\d{20}) ([0-9a-f]{64})\n$`)

// openHead opens the head beside a journal; nil when it cannot be.
func openHead(path string, write bool) *os.File {
	flags := os.O_RDONLY
	if write {
		flags = os.O_RDWR | os.O_CREATE
	}
	f, err := os.OpenFile(path+".head", flags|noFollow, 0o600)
	if err != nil {
		return nil
	}
	if err := checkFile(f); err != nil {
		f.Close()
		return nil
	}
	return f
}

func readHead(f *os.File) (seq uint64, hash string, ok bool) {
	buf := make([]byte, 128)
	n, _ := f.ReadAt(buf, 0) // short always; the pattern decides
	m := headPattern.FindSubmatch(buf[:n])
	if m == nil {
		return 0, "", false
	}
	seq, err := strconv.ParseUint(string(m[1]), 10, 64)
	return seq, string(m[2]), err == nil
}

func writeHead(f *os.File, seq uint64, hash string) error {
	_, err := f.WriteAt(fmt.Appendf(nil, headFormat, seq, hash), 0)
	return err
}
