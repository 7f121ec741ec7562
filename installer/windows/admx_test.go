// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/xml"
	"io"
	"regexp"
	"strings"
	"testing"

	"persten/internal/config"
)

// elements reads a file strictly and gives every element to f.
func elements(t *testing.T, data []byte, f func(name string, attributes map[string]string)) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(string(data)))
	for {
		token, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			attributes := map[string]string{}
			for _, a := range e.Attr {
				attributes[a.Name.Local] = a.Value
			}
			f(e.Name.Local, attributes)
		}
	}
}

// TestTemplatesCoverKnobs: each knob of the table has its value in the editor, under the key where the agent reads it.
func TestTemplatesCoverKnobs(t *testing.T) {
	files, err := templates()
	if err != nil {
		t.Fatal(err)
	}
	found, key := map[string]int{}, ""
	elements(t, files["persten.admx"], func(name string, a map[string]string) {
		if name == "policy" {
			key = a["key"]
		}
		switch {
		case name == "list":
			found[a["key"]+`\1`]++ // the agent reads the values 1, 2, 3 ...
		case a["valueName"] != "":
			found[key+`\`+a["valueName"]]++
		}
	})
	knobs := 0
	for _, s := range config.Sections() {
		path := `Software\Policies\Persten\` + s.Name + `\`
		if s.Many {
			if found[path+"1"] != 1 {
				t.Errorf("%s has %d lists of entries", path, found[path+"1"])
			}
			continue
		}
		for _, k := range shown(s.Knobs) {
			knobs++
			value := path + k.Name
			if k.Kind == config.List {
				value += `\1`
			}
			if found[value] != 1 {
				t.Errorf("%s stands there %d times", value, found[value])
			}
		}
	}
	if knobs < 30 {
		t.Errorf("only %d knobs: the test looked in the wrong place", knobs)
	}
}

var reference = regexp.MustCompile(`^\$\((string|presentation)\.([A-Za-z0-9_]+)\)$`)

// TestTemplatesSpeakBoth: every text and field that the definitions name is there in both languages.
func TestTemplatesSpeakBoth(t *testing.T) {
	files, err := templates()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range languages {
		have, fields, in := map[string]bool{}, map[string]bool{}, ""
		elements(t, files[l.Culture+"/persten.adml"], func(name string, a map[string]string) {
			switch {
			case name == "string", name == "presentation":
				if have[name+"."+a["id"]] {
					t.Errorf("%s: %s %s twice", l.Culture, name, a["id"])
				}
				have[name+"."+a["id"]], in = true, a["id"]
			case a["refId"] != "":
				fields[in+"."+a["refId"]] = true
			}
		})
		policy := ""
		elements(t, files["persten.admx"], func(name string, a map[string]string) {
			for _, v := range a {
				if m := reference.FindStringSubmatch(v); m != nil && !have[m[1]+"."+m[2]] {
					t.Errorf("%s lacks %s", l.Culture, v)
				}
			}
			if name == "policy" {
				policy = a["name"]
			} else if a["id"] != "" && !fields[policy+"."+a["id"]] {
				t.Errorf("%s: no field for %s of %s", l.Culture, a["id"], policy)
			}
		})
	}
}
