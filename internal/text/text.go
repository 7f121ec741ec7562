// SPDX-License-Identifier: GPL-3.0-or-later

// Package text is everything the product says to people, in Russian and English.
//
// # Messages
//
// ru/AREA.json and en/AREA.json are flat objects from a dotted key that begins with the area (prompt.sign.title) to a text with
// {name} places; [[a clause]] in double square brackets is left out when an argument in it is missing, empty or -1. Both languages
// have the same keys and places. What is counted has four keys, KEY.one, KEY.few, KEY.many and KEY.other, chosen by the
// language's plural rules with the number in {n}; English says the same in few, many and other.
//
// # Errors
//
// The texts of errors are not here but in the protocol's catalogue, so that the browser has the same; Error asks it.
//
// A missing key reads as the key itself; a test keeps that from happening. All functions may be called concurrently.
package text

import (
	"embed"
	"encoding/json"
	"errors"
	"path"
	"strconv"
	"sync"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"

	"persten/proto"
)

// Lang is a language of the product. Anything but Russian reads as English.
type Lang string

// The languages.
const (
	Russian Lang = "ru"
	English Lang = "en"
)

//go:embed ru/*.json en/*.json
var files embed.FS

var (
	russian = sync.OnceValue(func() map[string]string { return load(Russian) })
	english = sync.OnceValue(func() map[string]string { return load(English) })
)

// load reads the areas of a language. They are embedded: it cannot fail in a build whose tests passed.
func load(lang Lang) map[string]string {
	m := map[string]string{}
	areas, err := files.ReadDir(string(lang))
	for _, a := range areas {
		data, _ := files.ReadFile(path.Join(string(lang), a.Name()))
		err = errors.Join(err, json.Unmarshal(data, &m))
	}
	if err != nil {
		panic("text: " + err.Error())
	}
	return m
}

func messages(lang Lang) map[string]string {
	if lang == Russian {
		return russian()
	}
	return english()
}

// Get returns the text of a key with the arguments in their places.
func Get(lang Lang, key string, args map[string]string) string {
	s, ok := messages(lang)[key]
	if !ok {
		return key
	}
	return proto.Fill(s, args)
}

// Has reports whether there is a text for a key.
func Has(key string) bool {
	_, ok := english()[key]
	return ok
}

// Plural returns the text of a counted key in the form n asks for, with n in {n}.
func Plural(lang Lang, key string, n int) string {
	return Get(lang, key+"."+form(lang, n), map[string]string{"n": strconv.Itoa(n)})
}

var forms = map[plural.Form]string{plural.One: "one", plural.Few: "few", plural.Many: "many"}

func form(lang Lang, n int) string {
	tag := language.English
	if lang == Russian {
		tag = language.Russian
	}
	if n < 0 {
		n = -n
	}
	// The rules of both languages look at the last two digits at most, English at 1 alone.
	if n >= 1000 {
		n = 1000 + n%1000
	}
	if f, ok := forms[plural.Cardinal.MatchPlural(tag, n, 0, 0, 0, 0)]; ok {
		return f
	}
	return "other"
}

// Error returns what happened and what to do now, for a code of the error catalogue. An unknown code reads as internal.
func Error[C ~string](lang Lang, code C, args map[string]string) (what, next string) {
	s := proto.Text(proto.Code(code), string(lang), args)
	return s.What, s.Next
}

// Parse returns the language of a locale name such as "ru_RU.UTF-8" or "ru-RU"; anything but Russian is English.
func Parse(locale string) Lang {
	if len(locale) >= 2 && (locale[0]|0x20) == 'r' && (locale[1]|0x20) == 'u' &&
		(len(locale) == 2 || locale[2] == '_' || locale[2] == '-' || locale[2] == '.' || locale[2] == '@') {
		return Russian
	}
	return English
}
