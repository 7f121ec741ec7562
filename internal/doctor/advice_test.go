// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"persten/internal/text"
	"persten/proto"
)

// weakening is advice that would leave a computer with less protection than it had.
var weakening = regexp.MustCompile(`(?i)(отключ\S*|выключ\S*|приостанов\S*|деактивир\S*|disabl\S*|deactivat\S*|turn\s+off|switch\s+off|pause)[^.:;]{0,60}` +
	`(антивирус|брандмауэр|файрвол|межсетев|защит|проверк\S* (сертификат|подпис|безопасн)|предупрежд|безопасн|antivirus|anti-virus|firewall|protection|defender|smartscreen|warning|certificate check|security|verification)` +
	`|(игнорир\S*|пропустите|ignore|bypass|skip)[^.:;]{0,40}(предупрежд|ошибк[уи] сертификата|warning|certificate error)` +
	`|--ignore-certificate-errors|--disable-web-security|от имени администратора без`)

// saysWeaken reports advice to weaken a protection.
func saysWeaken(s string) bool { return weakening.MatchString(s) }

// TestNoWeakening holds everything the doctor may say to that.
func TestNoWeakening(t *testing.T) {
	for _, bad := range []string{
		"Отключите антивирус и повторите.", "Выключите на время защиту Windows.", "Turn off the firewall.", "Ignore the browser's warning.", "Disable your antivirus first",
		"Приостановите работу брандмауэра", "Switch off certificate checks: the security of",
	} {
		if !saysWeaken(bad) {
			t.Errorf("the test does not see %q", bad)
		}
	}
	said := 0
	look := func(where string, texts ...string) {
		for _, s := range texts {
			said++
			if saysWeaken(s) {
				t.Errorf("%s: %s", where, s)
			}
		}
	}
	for _, k := range proto.Troubles() {
		for _, c := range []proto.Cure{k.RU, k.EN} {
			look(k.ID, append(c.Check, c.Title, c.Next)...)
		}
	}
	for _, e := range proto.Entries() {
		look(string(e.Code), e.RU.Next, e.EN.Next)
	}
	for _, f := range proto.Foreigners() {
		look(f.Code, f.RU.Next, f.EN.Next)
	}
	for code := range causes(t) {
		for _, lang := range []text.Lang{text.Russian, text.English} {
			if text.Has(key(code, "next")) {
				look(code, text.Get(lang, key(code, "what"), nil), text.Get(lang, key(code, "next"), nil))
			}
		}
	}
	extension, err := os.ReadFile("../../proto/extension.json")
	if err != nil {
		t.Fatal(err)
	}
	look("extension.json", strings.Split(string(extension), "\n")...)
	for _, c := range checks {
		look(c.Code, strings.Join([]string{Title(c.Code, text.Russian), Title(c.Code, text.English)}, ". "))
	}
	if said < 900 {
		t.Errorf("only %d sentences looked at", said)
	}
}

// TestLogged holds the words of the log that may leave the computer to those that are written: most must still be.
func TestLogged(t *testing.T) {
	source, all, gone := sources(t), strings.Split(strings.TrimSpace(logged), "\n"), 0
	for _, line := range all {
		if !strings.Contains(source, `"`+line+`"`) {
			gone++
			t.Logf("nothing writes %q any more", line)
		}
	}
	if len(all) < 30 || gone > len(all)/4 {
		t.Errorf("%d of %d lines are of old: take the words of the log's calls anew into logged.txt", gone, len(all))
	}
}

// sources are the agent's own, in one text.
func sources(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, root := range []string{"..", "../../agent"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				var text []byte
				text, err = os.ReadFile(path)
				b.Write(text)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}
