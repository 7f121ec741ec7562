// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	answersVersion = 1
	maxAnswersFile = 2 << 20
)

// answersFile is the file of answers as written.
type answersFile struct {
	Version int          `json:"version"`
	Origins []answerLine `json:"origins"`
}

type answerLine struct {
	Origin  string    `json:"origin"`
	Allowed *bool     `json:"allowed"`
	Since   time.Time `json:"since"`
	Hidden  *bool     `json:"hidden,omitempty"` // may ask for signatures of what cannot be shown; absent: not asked yet
}

// readAnswers reads the file at path and tells which file that was.
func readAnswers(path string) (map[string]answer, fs.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, unreadable(path, err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, nil, unreadable(path, err)
	}
	s := source{file: path}
	if why := foreignFile(fi); why != "" {
		return nil, nil, s.fail(0, nil, why)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxAnswersFile+1))
	if err != nil {
		return nil, nil, unreadable(path, err)
	}
	answers, offset, err := parseAnswers(data)
	if err != nil {
		return nil, nil, s.fail(1+bytes.Count(data[:offset], []byte("\n")), err, err.Error())
	}
	return answers, fi, nil
}

// parseAnswers reads strictly; offset is where it gave up.
func parseAnswers(data []byte) (answers map[string]answer, offset int, err error) {
	if len(data) > maxAnswersFile {
		return nil, 0, fmt.Errorf("larger than %d KiB", maxAnswersFile>>10)
	}
	var file answersFile
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil {
		return nil, jsonOffset(dec, err, len(data)), errors.New("not a list of sites")
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, int(dec.InputOffset()), errors.New("something follows the list of sites")
	}
	if file.Version != answersVersion {
		return nil, 0, errors.New("written by another version of the program")
	}
	if len(file.Origins) > maxAnswers {
		return nil, 0, errors.New("too many sites")
	}
	answers = make(map[string]answer, len(file.Origins))
	for _, l := range file.Origins {
		if o, reason := parseOrigin(l.Origin); reason != "" || o != l.Origin || l.Allowed == nil {
			return nil, 0, errors.New("an entry is not a decision about a site")
		}
		if _, twice := answers[l.Origin]; twice {
			return nil, 0, errors.New("a site stands there twice")
		}
		answers[l.Origin] = answer{*l.Allowed, l.Since.UTC(), l.Hidden}
	}
	return answers, 0, nil
}

func jsonOffset(dec *json.Decoder, err error, size int) int {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	at := dec.InputOffset()
	switch {
	case errors.As(err, &syntax):
		at = syntax.Offset
	case errors.As(err, &kind):
		at = kind.Offset
	}
	return max(0, min(int(at), size))
}

// writeAnswers replaces the file at once: a reader sees the old answers or the new ones, also after a crash.
func writeAnswers(path string, answers map[string]answer) error {
	file := answersFile{Version: answersVersion, Origins: make([]answerLine, 0, len(answers))}
	for _, origin := range slices.Sorted(maps.Keys(answers)) {
		a := answers[origin]
		file.Origins = append(file.Origins, answerLine{origin, &a.allowed, a.since, a.hidden})
	}
	data, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(path, append(data, '\n'))
}

// replaceFile writes a file of this user's alone, whole or not at all.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	return syncFolder(filepath.Dir(path))
}
