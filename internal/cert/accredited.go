// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// ErrAccreditedList means that the input is not the list of accredited CAs, or goes beyond its limits.
var ErrAccreditedList = errors.New("not a list of accredited certification authorities")

// Limits of ParseAccreditedList. The real list has some 40 MB.
const (
	maxAccredited  = 128 << 20
	maxAuthorities = 10_000
	maxOfAuthority = 4096 // certificates, and statuses
	maxListDepth   = 64
)

// AccreditedList is the register of accredited certification authorities as the Russian ministry publishes it in XML. Texts are
// as in the file; whoever shows them escapes them.
type AccreditedList struct {
	Version     string
	Date        time.Time // zero when it cannot be read
	Authorities []Authority
	Unreadable  int // certificates that are none

	seen map[string]*Certificate // while reading: the same certificate is listed over and over
}

// Authority is one of the list.
type Authority struct {
	Name, ShortName, INN, OGRN string
	Number                     string // in the register
	Status                     AccreditationStatus
	History                    []AccreditationStatus // oldest first, the present one included when the file has it there
	Certificates               []AuthorityCertificate
}

// AccreditationStatus is a state and when it began.
type AccreditationStatus struct {
	Status string    // "Действует", "Приостановлена", "Прекращена", "Аннулирована" and whatever else the file says
	From   time.Time // zero when it cannot be read
}

const accredited = "Действует"

// AuthorityCertificate is a certificate the authority signs with.
type AuthorityCertificate struct {
	*Certificate
	System string   // the authority's name for its equipment
	Class  string   // of its means, such as "КС2"
	CRLs   []string // where its lists are
}

// xmlAuthority mirrors the element УдостоверяющийЦентр.
type xmlAuthority struct {
	Name      string      `xml:"Название"`
	ShortName string      `xml:"КраткоеНазвание"`
	INN       string      `xml:"ИНН"`
	OGRN      string      `xml:"ОГРН"`
	Number    string      `xml:"РеестровыйНомер"`
	Status    xmlStatus   `xml:"СтатусАккредитации"`
	History   []xmlStatus `xml:"ИсторияСтатусовАккредитации>СтатусАккредитации"`
	Systems   []struct {
		Alias string `xml:"Псевдоним"`
		Class string `xml:"КлассСредствЭП"`
		Keys  []struct {
			CRLs         []string `xml:"АдресаСписковОтзыва>Адрес"`
			Certificates []struct {
				Data string `xml:"Данные"`
			} `xml:"Сертификаты>ДанныеСертификата"`
		} `xml:"КлючиУполномоченныхЛиц>Ключ"`
	} `xml:"ПрограммноАппаратныеКомплексы>ПрограммноАппаратныйКомплекс"`
}

type xmlStatus struct {
	Status string `xml:"Статус"`
	From   string `xml:"ДействуетС"`
}

func (s xmlStatus) status() AccreditationStatus {
	return AccreditationStatus{strings.TrimSpace(s.Status), listDate(s.From)}
}

// ParseAccreditedList reads the list, one authority at a time, at most 128 MiB. The error wraps ErrAccreditedList, or is that
// of r. The list is signed by the ministry inside the XML; that signature is for package xmldsig to check over the same
// bytes, before anything of the list is believed.
func ParseAccreditedList(r io.Reader) (*AccreditedList, error) {
	in := &counted{r: r, left: maxAccredited}
	d := xml.NewTokenDecoder(&shallow{d: xml.NewDecoder(in)})
	l := &AccreditedList{seen: map[string]*Certificate{}}
	defer func() { l.seen = nil }()
	if err := l.read(d); err != nil {
		if in.err != nil {
			return nil, in.err
		}
		return nil, fmt.Errorf("%w: %w", ErrAccreditedList, err)
	}
	return l, nil
}

// counted ends with an error after so many bytes, and keeps the reader's own error apart from those of the format.
type counted struct {
	r    io.Reader
	left int64
	err  error
}

func (c *counted) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, maxAccredited)
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// shallow ends with an error in elements too deep: each one open takes memory.
type shallow struct {
	d     *xml.Decoder
	depth int
}

// Token implements xml.TokenReader.
func (s *shallow) Token() (xml.Token, error) {
	t, err := s.d.Token()
	switch t.(type) {
	case xml.StartElement:
		if s.depth++; s.depth > maxListDepth {
			return nil, errListDepth
		}
	case xml.EndElement:
		s.depth--
	}
	return t, err
}

const listRoot = "АккредитованныеУдостоверяющиеЦентры"

var (
	errListShape = errors.New("unexpected element")
	errListDepth = fmt.Errorf("elements more than %d deep", maxListDepth)
)

func (l *AccreditedList) read(d *xml.Decoder) error {
	root, err := nextElement(d)
	if err != nil || root == nil || root.Name.Local != listRoot {
		return errors.Join(errListShape, err)
	}
	for {
		e, err := nextElement(d)
		switch {
		case err != nil:
			return err
		case e == nil:
			return l.end(d)
		}
		switch e.Name.Local {
		case "УдостоверяющийЦентр":
			err = l.readAuthority(d, e)
		case "Версия":
			err = d.DecodeElement(&l.Version, e)
		case "Дата":
			var s string
			err = d.DecodeElement(&s, e)
			l.Date = listDate(s)
		default:
			err = d.Skip() // the signature, and what may come
		}
		if err != nil {
			return err
		}
	}
}

// end makes sure that nothing follows the list.
func (l *AccreditedList) end(d *xml.Decoder) error {
	if e, err := nextElement(d); e != nil || err != io.EOF {
		return errors.Join(errListShape, err)
	}
	return nil
}

// nextElement skips to the next start of an element; nil at the end of the one it is in. A DOCTYPE is refused.
func nextElement(d *xml.Decoder) (*xml.StartElement, error) {
	for {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			return &t, nil
		case xml.EndElement:
			return nil, nil
		case xml.Directive:
			return nil, errListShape
		}
	}
}

func (l *AccreditedList) readAuthority(d *xml.Decoder, e *xml.StartElement) error {
	if len(l.Authorities) == maxAuthorities {
		return fmt.Errorf("more than %d authorities", maxAuthorities)
	}
	var x xmlAuthority
	if err := d.DecodeElement(&x, e); err != nil {
		return err
	}
	a := Authority{
		Name: cut(strings.TrimSpace(x.Name)), ShortName: cut(strings.TrimSpace(x.ShortName)), INN: cut(strings.TrimSpace(x.INN)),
		OGRN: cut(strings.TrimSpace(x.OGRN)), Number: cut(strings.TrimSpace(x.Number)), Status: x.Status.status(),
	}
	for _, s := range x.History[:min(len(x.History), maxOfAuthority)] {
		a.History = append(a.History, s.status())
	}
	slices.SortStableFunc(a.History, func(a, b AccreditationStatus) int { return a.From.Compare(b.From) })
	for _, s := range x.Systems {
		for _, k := range s.Keys {
			for _, c := range k.Certificates {
				l.add(&a, AuthorityCertificate{System: cut(strings.TrimSpace(s.Alias)), Class: cut(strings.TrimSpace(s.Class)), CRLs: k.CRLs}, c.Data)
			}
		}
	}
	l.Authorities = append(l.Authorities, a)
	return nil
}

// add reads one certificate, Base64 with or without line ends. What cannot be read is counted.
func (l *AccreditedList) add(a *Authority, one AuthorityCertificate, text string) {
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	one.Certificate = l.seen[string(der)]
	if err == nil && one.Certificate == nil {
		one.Certificate, err = Parse(der)
		l.seen[string(der)] = one.Certificate
	}
	if err != nil || len(a.Certificates) == maxOfAuthority {
		l.Unreadable++
		return
	}
	a.Certificates = append(a.Certificates, one)
}

// listDate reads the dates of the list: ISO 8601, with or without a time zone. Moscow time is meant without one.
func listDate(s string) time.Time {
	s = strings.TrimSpace(s)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, moscow); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

var moscow = time.FixedZone("MSK", 3*60*60)

// AccreditedAt reports whether the authority was accredited at t, by its history as far as the list has it.
func (a *Authority) AccreditedAt(t time.Time) bool {
	if a.Status.Status != accredited && a.Status.From.IsZero() {
		return false // nobody knows since when
	}
	last := AccreditationStatus{}
	for _, s := range append(slices.Clone(a.History), a.Status) {
		if !s.From.After(t) && !s.From.Before(last.From) {
			last = s
		}
	}
	return last.Status == accredited
}

// At returns the certificates of the authorities that were accredited at t, each once. They are intermediates below the
// state root, and the roots of their own before there was one.
func (l *AccreditedList) At(t time.Time) []*Certificate {
	var all []*Certificate
	seen := map[string]bool{}
	for i := range l.Authorities {
		if !l.Authorities[i].AccreditedAt(t) {
			continue
		}
		for _, c := range l.Authorities[i].Certificates {
			if !seen[string(c.Raw)] {
				seen[string(c.Raw)] = true
				all = append(all, c.Certificate)
			}
		}
	}
	return all
}
