// SPDX-License-Identifier: GPL-3.0-or-later

package journal

import (
	"context"
	"encoding/xml"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/windows/svc/eventlog"
)

// Limits of the system's log.
const (
	readWait = 10 * time.Second
	maxSeals = 1000
)

// eventSource is the name under which seals stand in the Application log.
const eventSource = "Persten"

// The ids of our events.
const (
	eventSeal   = 1
	eventRecord = 2
)

// eventLog is the Application log of Windows.
type eventLog struct{}

// SystemSeals is the log of this system.
func SystemSeals() Seals { return eventLog{} }

// System is the same log, for whole records.
func System() SystemLog { return eventLog{} }

func (eventLog) Place() string { return "eventlog" }

// Put writes one event. Without the source's registration, which needs an administrator, its text is shown as it is.
func (eventLog) Put(path string, s Seal) error {
	l, err := eventlog.Open(eventSource)
	if err != nil {
		return err
	}
	defer l.Close()
	return l.Info(eventSeal, fmt.Sprintf("seq=%d hash=%s journal=%s", s.Seq, s.Hash, path))
}

// Tell implements SystemLog. The id stands in the text.
func (eventLog) Tell(text, _ string, warn bool) error {
	l, err := eventlog.Open(eventSource)
	if err != nil {
		return err
	}
	defer l.Close()
	if warn {
		return l.Warning(eventRecord, text)
	}
	return l.Info(eventRecord, text)
}

// Read asks wevtutil for the newest events.
func (eventLog) Read(path string) ([]Seal, error) {
	ctx, cancel := context.WithTimeout(context.Background(), readWait)
	defer cancel()
	said, err := exec.CommandContext(ctx, "wevtutil", "query-events", "Application", "/format:xml", "/reversedirection:true",
		"/count:"+strconv.Itoa(maxSeals), "/query:*[System[Provider[@Name='"+eventSource+"']]]").Output()
	if err != nil {
		return nil, err
	}
	list := parseEvents(string(said), path)
	slices.Reverse(list)
	return list, nil
}

var sealEvent = regexp.MustCompile(`^seq=(\d{1,19}) hash=([0-9a-f]{64}) journal=(.*)$`)

// parseEvents reads a row of <Event> elements.
func parseEvents(said, path string) (list []Seal) {
	d := xml.NewDecoder(strings.NewReader(said))
	for {
		var e struct {
			XMLName xml.Name `xml:"Event"`
			Time    struct {
				At time.Time `xml:"SystemTime,attr"`
			} `xml:"System>TimeCreated"`
			Data []string `xml:"EventData>Data"`
		}
		if err := d.Decode(&e); err != nil {
			return list
		}
		for _, text := range e.Data {
			m := sealEvent.FindStringSubmatch(strings.TrimSpace(text))
			if m == nil || !strings.EqualFold(m[3], path) {
				continue
			}
			if seq, err := strconv.ParseUint(m[1], 10, 63); err == nil && seq > 0 {
				list = append(list, Seal{seq, m[2], e.Time.At.UTC()})
			}
		}
	}
}
