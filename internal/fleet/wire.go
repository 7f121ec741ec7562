// SPDX-License-Identifier: GPL-3.0-or-later

package fleet

import (
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// message is one message of OTLP in its binary form. The numbers below are those of the fields in opentelemetry-proto; tests read
// all that is written with the official messages.
type message []byte

const (
	gaugeField, sumField = 5, 7 // of a metric
	cumulative           = 2    // an aggregation temporality
)

func (m message) text(field protowire.Number, s string) message {
	return protowire.AppendString(protowire.AppendTag(m, field, protowire.BytesType), strings.ToValidUTF8(s, ""))
}

func (m message) part(field protowire.Number, p message) message {
	return protowire.AppendBytes(protowire.AppendTag(m, field, protowire.BytesType), p)
}

func (m message) parts(field protowire.Number, list []message) message {
	for _, p := range list {
		m = m.part(field, p)
	}
	return m
}

func (m message) number(field protowire.Number, n int64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, field, protowire.VarintType), uint64(n))
}

func (m message) fixed(field protowire.Number, n uint64) message {
	return protowire.AppendFixed64(protowire.AppendTag(m, field, protowire.Fixed64Type), n)
}

func (m message) time(field protowire.Number, t time.Time) message {
	return m.fixed(field, uint64(t.UnixNano()))
}

func (m message) float(field protowire.Number, f float64) message {
	return m.fixed(field, math.Float64bits(f))
}

// values are attributes, each a field of m.
func (m message) values(field protowire.Number, list []attr, prefix string) message {
	for _, a := range list {
		m = m.part(field, message(nil).text(1, prefix+a.name).part(2, value(a.value)))
	}
	return m
}

// value is any value.
func value(v any) message {
	switch v := v.(type) {
	case string:
		return message(nil).text(1, v)
	case int64:
		return message(nil).number(3, v)
	case []string:
		var list message
		for _, s := range v {
			list = list.part(1, value(s))
		}
		return message(nil).part(5, list)
	}
	return nil
}

// request is a request to take records or metrics; both have the same form.
func (c *otlp) request(list []message) message {
	scoped := message(nil).part(1, c.scope).parts(2, list)
	return message(nil).part(1, message(nil).part(1, c.from).part(2, scoped))
}

// rejected reads how many records a collector that took a batch left out all the same, and why.
func rejected(answer []byte) (count int64, why string) {
	partial, _ := find(answer, 1, protowire.BytesType)
	text, _ := find(partial, 2, protowire.BytesType)
	_, n := find(partial, 1, protowire.VarintType)
	return int64(n), line(string(text))
}

// find is the last field of a number and type in a message, as bytes or as a number. What is no message has none.
func find(m []byte, wanted protowire.Number, of protowire.Type) (data []byte, n uint64) {
	for len(m) > 0 {
		number, kind, tag := protowire.ConsumeTag(m)
		if tag < 0 {
			return nil, 0
		}
		size := protowire.ConsumeFieldValue(number, kind, m[tag:])
		if size < 0 {
			return nil, 0
		}
		if number == wanted && kind == of {
			data, _ = protowire.ConsumeBytes(m[tag:])
			n, _ = protowire.ConsumeVarint(m[tag:])
		}
		m = m[tag+size:]
	}
	return data, n
}
