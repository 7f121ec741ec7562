// SPDX-License-Identifier: GPL-3.0-or-later

package proto

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"sync"
)

//go:embed known.json
var knownJSON []byte

//go:embed foreign.json
var foreignJSON []byte

// Known is a trouble people arrive with, in the words they have for it.
type Known struct {
	ID      string      `json:"id"`
	Fault   DoctorFault `json:"fault"`   // desk, certificate or portal: where it has to be mended
	Code    Code        `json:"code"`    // the error of ours that is nearest; may be empty
	Run     string      `json:"run"`     // the doctor's check that looks for it; may be empty
	Numbers []string    `json:"numbers"` // other people's codes for it
	Terms   []string    `json:"terms"`   // words that mean it by themselves
	Words   []string    `json:"words"`   // what sites and people say, in both languages
	RU      Cure        `json:"ru"`
	EN      Cure        `json:"en"`
}

// Cure is what a person reads about a trouble.
type Cure struct {
	Title string   `json:"title"`
	Check []string `json:"check"`
	Next  string   `json:"next"`
}

// Foreign is an error of somebody else's, which people meet beside ours.
type Foreign struct {
	Family string   `json:"family"` // cryptopro or pkcs11
	Code   string   `json:"code"`
	Like   Code     `json:"like"` // the code of ours that is nearest; may be empty
	RU     Sentence `json:"ru"`
	EN     Sentence `json:"en"`
}

// Troubles returns what is known of troubles. The caller must not change it.
var Troubles = sync.OnceValue(func() []Known { return embedded[[]Known]("known.json", knownJSON) })

// Foreigners returns other people's errors. The caller must not change it.
var Foreigners = sync.OnceValue(func() []Foreign { return embedded[[]Foreign]("foreign.json", foreignJSON) })

func embedded[T any](name string, data []byte) (v T) {
	if err := json.Unmarshal(data, &v); err != nil {
		panic("proto: " + name + ": " + err.Error()) // embedded; cannot happen in a build whose tests passed
	}
	return v
}

// ofPortals and ofCertificates are the beginnings of codes that a site, or a certificate, is the cause of.
var (
	ofPortals      = []string{"request_", "content_", "format_cms", "format_xml", "xml_", "page_policy", "context_insecure", "version_too_old", "hidden_not", "profile_", "digest_", "login_mismatch", "signature_", "protocol_violation"}
	ofCertificates = []string{"certificate_", "signer_", "issuer_", "revocation_", "timestamp_", "algorithm_weak", "format_certificate", "format_crl"}
	ofDesks        = []string{"request_cancelled", "request_limit", "content_changed", "content_disk", "content_hidden", "certificate_none", "certificate_absent", "certificate_untrusted", "timestamp_absent", "signature_self_check"}
)

// Fault tells where an error has to be mended: at the desk (this computer), in the certificate or at the portal.
func (c Code) Fault() DoctorFault {
	begins := func(with string) bool { return strings.HasPrefix(string(c), with) }
	switch {
	case slices.ContainsFunc(ofDesks, begins):
		return DoctorFaultDesk
	case slices.ContainsFunc(ofCertificates, begins):
		return DoctorFaultCertificate
	case slices.ContainsFunc(ofPortals, begins):
		return DoctorFaultPortal
	}
	return DoctorFaultDesk
}
