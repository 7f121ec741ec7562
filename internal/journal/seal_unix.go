// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !windows

package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Limits of the system's log.
const (
	sealWait = 100 * time.Millisecond // to take a seal
	readWait = 5 * time.Second        // to tell of all
	maxSeals = 10_000
	maxSaid  = 64 << 20 // bytes of an answer
)

// journald is systemd's log. A namespace is for tests; the usual one has no name.
type journald struct{ namespace string }

// SystemSeals is the log of this system.
func SystemSeals() Seals { return journald{} }

// System is the same log, for whole records.
func System() SystemLog { return journald{} }

func (journald) Place() string { return "journald" }

// Put implements Seals.
func (j journald) Put(path string, s Seal) error {
	return j.send(fmt.Sprintf("MESSAGE=Persten journal sealed at record %d\nPRIORITY=6\n"+
		"PERSTEN_JOURNAL=%s\nPERSTEN_SEQ=%d\nPERSTEN_HASH=%s\n", s.Seq, path, s.Seq, s.Hash))
}

// Tell implements SystemLog.
func (j journald) Tell(text, id string, warn bool) error {
	priority := 5
	if warn {
		priority = 4
	}
	return j.send(fmt.Sprintf("MESSAGE=%s\nPRIORITY=%d\nPERSTEN_RECORD=%s\n", strings.ReplaceAll(text, "\n", " "), priority, id))
}

// send sends one entry by journald's native protocol: a datagram of NAME=value lines.
func (j journald) send(entry string) error {
	dir := "/run/systemd/journal"
	if j.namespace != "" {
		dir += "." + j.namespace
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Net: "unixgram", Name: dir + "/socket"})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetWriteDeadline(time.Now().Add(sealWait)); err != nil {
		return err
	}
	_, err = fmt.Fprint(c, entry+"SYSLOG_IDENTIFIER=persten\n")
	return err
}

// Read asks journalctl for the entries of this user; who wrote them, journald knows by itself.
func (j journald) Read(path string) ([]Seal, error) {
	ctx, cancel := context.WithTimeout(context.Background(), readWait)
	defer cancel()
	args := []string{"--output=json", "--no-pager", "--quiet", "--lines=" + strconv.Itoa(maxSeals)}
	if j.namespace != "" {
		args = append(args, "--namespace="+j.namespace)
	}
	cmd := exec.CommandContext(ctx, "journalctl", append(args, "_UID="+strconv.Itoa(os.Getuid()), "PERSTEN_JOURNAL="+path)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	said, err := io.ReadAll(io.LimitReader(out, maxSaid))
	if err != nil {
		cmd.Process.Kill()
	}
	return parseSeals(said), cmd.Wait()
}

// parseSeals reads what journalctl says. An entry that is no seal is passed over.
func parseSeals(said []byte) (list []Seal) {
	for line := range bytes.Lines(said) {
		var e struct {
			Seq  string `json:"PERSTEN_SEQ"`
			Hash string `json:"PERSTEN_HASH"`
			Time string `json:"__REALTIME_TIMESTAMP"` // microseconds
		}
		if json.Unmarshal(line, &e) != nil {
			continue
		}
		seq, err := strconv.ParseUint(e.Seq, 10, 63)
		at, badTime := strconv.ParseInt(e.Time, 10, 64)
		if err == nil && badTime == nil && seq > 0 && at > 0 && hashPattern.MatchString(e.Hash) && len(list) < maxSeals {
			list = append(list, Seal{seq, e.Hash, time.UnixMicro(at).UTC()})
		}
	}
	return list
}
