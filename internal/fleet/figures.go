// SPDX-License-Identifier: GPL-3.0-or-later

package fleet

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"persten/internal/journal"
	"persten/proto"
)

// Figures are what a session says of itself.
type Figures struct {
	Prompts, Tokens int
	Certificates    []proto.Certificate
	Restarts        map[string]int // of driver processes, by module
	Problems        []proto.Problem
}

// reporter sends figures now and then.
type reporter struct {
	*otlp
	figures func(context.Context) (Figures, error)
	every   time.Duration
	journal string
	owner   told

	began  time.Time
	tally  tally
	failed string
}

// begin counts from now on.
func (r *reporter) begin() {
	at, err := journal.End(r.journal)
	if err != nil {
		warn("metrics", err)
	}
	r.began, r.tally = time.Now(), tally{at: at, open: map[uint64]uint64{}, made: map[outcome]uint64{}}
}

func (r *reporter) run(ctx context.Context) {
	r.begin()
	for wait := time.Duration(rand.Int64N(int64(min(r.every, time.Minute)))); pause(ctx, wait); wait = r.every {
		err := r.report(ctx)
		if err == nil {
			r.failed = ""
		} else if ctx.Err() == nil && err.Error() != r.failed {
			r.failed = err.Error()
			warn("metrics", err)
		}
	}
}

func (r *reporter) report(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if err := r.tally.count(r.journal); err != nil {
		return err
	}
	f, err := r.figures(ctx)
	if err != nil {
		return err
	}
	_, err = r.post(ctx, "/v1/metrics", r.request(r.metrics(f, time.Now())))
	return err
}

// metrics are the figures in OTLP's form. ADMIN.md lists them.
func (r *reporter) metrics(f Figures, now time.Time) []message {
	at := points{began: r.began, now: now}
	var used, restarts, days, keyDays, problems []message
	for o, n := range r.tally.made {
		used = append(used, at.count(n, attr{"persten.kind", o.kind}, attr{"persten.result", o.result}))
	}
	for _, m := range slices.Sorted(maps.Keys(f.Restarts)) {
		restarts = append(restarts, at.count(uint64(f.Restarts[m]), attr{"persten.module", r.owner.text(m)}))
	}
	for _, c := range f.Certificates {
		days = append(days, at.value(daysLeft(c.NotAfter, now), r.whose(c)...))
		if !c.KeyTo.IsZero() {
			keyDays = append(keyDays, at.value(daysLeft(c.KeyTo, now), r.whose(c)...))
		}
	}
	for code, n := range byCode(f.Problems) {
		problems = append(problems, at.value(n, attr{"persten.problem", code}))
	}
	return slices.DeleteFunc([]message{
		sum("persten.key.uses", "{use}", "Uses of keys since the session began, by what for and how they ended.", used),
		sum("persten.module.restarts", "{restart}", "Driver processes started again after a crash or a hang.", restarts),
		gauge("persten.prompts", "{prompt}", "Windows waiting for a person.", at.value(float64(f.Prompts))),
		gauge("persten.tokens", "{token}", "Tokens plugged in.", at.value(float64(f.Tokens))),
		gauge("persten.certificate.days_left", "d", "Days until a certificate ends.", days...),
		gauge("persten.key.days_left", "d", "Days until a key may sign no more.", keyDays...),
		gauge("persten.problems", "{problem}", "Problems that status names, by code.", problems...),
	}, func(m message) bool { return m == nil })
}

// whose tells certificates apart; whose they are, only where policy says so.
func (r *reporter) whose(c proto.Certificate) []attr {
	list := []attr{{"persten.certificate", c.Thumbprint}}
	add := func(group, name, v string) {
		if r.owner[group] && v != "" {
			list = append(list, attr{"persten." + name, v})
		}
	}
	add(groupSerials, "certificate_serial", c.Serial)
	add(groupOwner, "owner", r.owner.text(c.Name))
	add(groupOwner, "organization", r.owner.text(c.Organization))
	for name, v := range map[string]string{"inn": c.INN, "innle": c.INNLE, "snils": c.SNILS, "ogrn": c.OGRN, "ogrnip": c.OGRNIP} {
		add(groupNumbers, name, v)
	}
	return list
}

// daysLeft is negative after the end.
func daysLeft(end, now time.Time) float64 { return end.Sub(now).Hours() / 24 }

func byCode(list []proto.Problem) map[string]float64 {
	n := map[string]float64{}
	for _, p := range list {
		n[string(p.Code)]++
	}
	return n
}

// points makes data points of one moment.
type points struct{ began, now time.Time }

func (p points) count(n uint64, of ...attr) message {
	return message(nil).values(7, of, "").time(2, p.began).time(3, p.now).fixed(6, n)
}

func (p points) value(v float64, of ...attr) message {
	return message(nil).values(7, of, "").time(3, p.now).float(4, v)
}

func sum(name, unit, what string, list []message) message {
	return metric(name, unit, what, sumField, message(nil).number(2, cumulative).number(3, 1), list)
}

func gauge(name, unit, what string, list ...message) message {
	return metric(name, unit, what, gaugeField, nil, list)
}

// metric is a metric with these points; nil when there are none.
func metric(name, unit, what string, kind protowire.Number, data message, points []message) message {
	if len(points) == 0 {
		return nil
	}
	return message(nil).text(1, name).text(2, what).text(3, unit).part(kind, data.parts(1, points))
}

// outcome is what a key was used for and how that ended.
type outcome struct{ kind, result string }

// maxOpen bounds the uses whose end is waited for; beyond it are those of sessions that were killed.
const maxOpen = 4096

// tally counts uses of keys in the journal, those of commands that sign by themselves too.
type tally struct {
	at   journal.Position
	open map[uint64]uint64 // documents of a begin, by number
	made map[outcome]uint64
}

func (t *tally) count(path string) error {
	for {
		lines, next, err := journal.After(path, t.at, batchRecords, batchBytes)
		t.at = next
		if err != nil || len(lines) == 0 {
			return err
		}
		for _, l := range lines {
			t.add(l)
		}
	}
}

func (t *tally) add(l journal.Line) {
	switch l.Type {
	case journal.TypeBegin:
		if len(t.open) == maxOpen {
			clear(t.open)
		}
		t.open[l.Seq] = uint64(max(1, len(l.Documents)))
	case journal.TypeEnd:
		t.made[outcome{l.Kind, l.Result}] += max(1, t.open[l.Of])
		delete(t.open, l.Of)
	case journal.TypeNote:
		if l.Result != "" {
			t.made[outcome{l.Kind, l.Result}]++
		}
	}
}
