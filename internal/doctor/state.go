// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"persten/proto"
)

// spare is what a document of some size needs beside itself; the content store keeps as much free.
const spare = 64 << 20

// checkJournal makes sure that a use of a key can be recorded, without which none is made, and that the records are whole.
func checkJournal(_ context.Context, m *Machine) []Finding {
	if m.State == "" {
		return nil
	}
	file := filepath.Join(m.State, "journal.jsonl")
	if err := writable(file); err != nil {
		return []Finding{problem("journal_unwritable", file, "file", file)}
	}
	if m.Journal == nil {
		return nil
	}
	r, err := m.Journal()
	switch {
	case err != nil:
		return []Finding{failure(err)}
	case !r.OK:
		return []Finding{problem(string(proto.CodeJournalDamaged), file, "line", fmt.Sprint(r.Line))}
	}
	return nil
}

// writable tries whether a line could be added, and adds none.
func writable(file string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND|nonblock, 0)
	if os.IsNotExist(err) { // the first record makes it
		f, err = os.CreateTemp(filepath.Dir(file), ".doctor-")
		if err == nil {
			defer os.Remove(f.Name())
		}
	}
	if err != nil {
		return err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = os.ErrInvalid
	}
	f.Close()
	return err
}

// checkDisk looks for room for the documents that are being signed.
func checkDisk(_ context.Context, m *Machine) []Finding {
	if m.State == "" {
		return nil
	}
	free, err := free(m.State)
	if err != nil || free >= spare {
		return nil
	}
	return []Finding{problem("disk_full", m.State, "free", strconv.FormatUint(free>>20, 10), "needed", strconv.Itoa(spare>>20))}
}
