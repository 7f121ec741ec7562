// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"context"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Where CryptoPro CSP is on Linux, by the processor's name in its tree.
const cspRoot = "/opt/cprocsp"

const (
	cspPatience = 5 * time.Second
	// licenceSoon is how many days before its end a licence is worth a word.
	licenceSoon = 14
	// licenceEnded is the provider's code for a licence that ended.
	licenceEnded = "0x8007065b"
)

var licenceLeft = regexp.MustCompile(`(?i)expires:\s*(\d{1,6})\s*month\(s\)\s*(\d{1,6})\s*day\(s\)`)

// checkCSP looks at CryptoPro CSP, where it is installed: containers are reached through its PKCS#11 library, and it stops signing
// when its licence ends.
func checkCSP(ctx context.Context, m *Machine) (list []Finding) {
	if !m.exists(cspRoot) {
		return nil
	}
	if found, _ := filepath.Glob(m.path(cspRoot + "/lib/*/libcppkcs11.so")); len(found) == 0 {
		list = append(list, warning("csp_pkcs11_absent", m.path(cspRoot)))
	}
	tools, _ := filepath.Glob(m.path(cspRoot + "/sbin/*/cpconfig"))
	if len(tools) == 0 {
		return list
	}
	ctx, cancel := context.WithTimeout(ctx, cspPatience)
	defer cancel()
	said, _ := m.Command(ctx, tools[0], "-license", "-view")
	return append(list, judgeLicence(string(said))...)
}

// judgeLicence reads what cpconfig -license -view prints. What it does not understand is no finding.
func judgeLicence(said string) []Finding {
	low := strings.ToLower(said)
	left := licenceLeft.FindStringSubmatch(said)
	days := -1
	if left != nil {
		months, _ := strconv.Atoi(left[1])
		rest, _ := strconv.Atoi(left[2])
		days = 30*months + rest
	}
	switch {
	case days == 0, strings.Contains(low, licenceEnded), strings.Contains(low, "expired"), strings.Contains(low, "истек"):
		return []Finding{problem("csp_licence_ended", "")}
	case days > 0 && days <= licenceSoon:
		return []Finding{warning("csp_licence_ends", "", "days", strconv.Itoa(days))}
	}
	return nil
}
