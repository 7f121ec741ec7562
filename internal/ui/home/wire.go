// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"time"

	"persten/proto"
)

// What this window reads of methods that not every session has.
type (
	signTestResult struct {
		Digest      string            `json:"digest"`
		DigestAlg   string            `json:"digestAlg"`
		Algorithm   string            `json:"algorithm"`
		Certificate proto.Certificate `json:"certificate"`
		Time        time.Time         `json:"time"`
		Report      proto.Report      `json:"report"`
	}
	settings struct {
		Language      string   `json:"language"`
		Theme         string   `json:"theme"`
		Notifications bool     `json:"notifications"`
		Fixed         []string `json:"fixed"`
	}
	keyFile struct {
		Path         string     `json:"path"`
		Name         string     `json:"name"`
		Present      bool       `json:"present"`
		Certificates []string   `json:"certificates"`
		Fixed        bool       `json:"fixed"`
		Problem      proto.Code `json:"problem"`
	}
	keyFiles struct {
		Files []keyFile `json:"files"`
	}
	journalFilter struct {
		Limit  int       `json:"limit,omitempty"`
		Before int64     `json:"before,omitempty"`
		From   time.Time `json:"from,omitzero"`
		Result string    `json:"result,omitempty"`
		Text   string    `json:"text,omitempty"`
	}
	journalExport struct {
		Format string    `json:"format"`
		From   time.Time `json:"from,omitzero"`
		Result string    `json:"result,omitempty"`
		Text   string    `json:"text,omitempty"`
	}
	journalList struct {
		Records []proto.JournalRecord `json:"records"`
		More    bool                  `json:"more"`
	}
	journalVerdict struct {
		proto.JournalVerifyResult
		Reason string `json:"reason"`
		Seal   *struct {
			Place string    `json:"place"`
			Seq   int64     `json:"seq"`
			Time  time.Time `json:"time"`
		} `json:"seal"`
	}
	result struct {
		Handle string `json:"handle"`
		Size   int64  `json:"size"`
		Letter string `json:"letter"`
	}
	finding struct {
		Check   string `json:"check"`
		Code    string `json:"code"`
		Subject string `json:"subject"`
		Level   string `json:"level"`
		Text    struct {
			What string `json:"what"`
			Next string `json:"next"`
		} `json:"text"`
		Fix   *fix   `json:"fix"`
		Fault string `json:"fault"`
	}
	fix struct {
		ID    string            `json:"id"`
		Label string            `json:"label"`
		Args  map[string]string `json:"args,omitempty"`
	}
	findings struct {
		Findings []finding `json:"findings"`
	}
	explained struct {
		Answers []struct {
			ID    string   `json:"id"`
			Title string   `json:"title"`
			Fault string   `json:"fault"`
			Check []string `json:"check"`
			Next  string   `json:"next"`
			Code  string   `json:"code"`
		} `json:"answers"`
	}
)
