// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

// listOf writes a list as the ministry's, with so many authorities that share certs.
func listOf(w io.Writer, authorities int, status string, certs ...*Certificate) {
	fmt.Fprint(w, "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<АккредитованныеУдостоверяющиеЦентры><Версия>1234</Версия><Дата>2026-01-02T03:04:05</Дата>")
	for i := range authorities {
		fmt.Fprintf(w, `<УдостоверяющийЦентр><Название>ООО «Пример» %d</Название><ЭлектроннаяПочта>ca@example.com</ЭлектроннаяПочта>
<КраткоеНазвание>Пример</КраткоеНазвание><Адрес><Страна>RU</Страна><Индекс>101000</Индекс></Адрес>
<ПрограммноАппаратныеКомплексы><ПрограммноАппаратныйКомплекс><Псевдоним>УЦ Пример</Псевдоним><КлассСредствЭП>КС2</КлассСредствЭП>
<КлючиУполномоченныхЛиц><Ключ><ИдентификаторКлюча>AABB</ИдентификаторКлюча><АдресаСписковОтзыва><Адрес>http://ca.example.com/1.crl</Адрес></АдресаСписковОтзыва><Сертификаты>`, i)
		for _, c := range certs {
			fmt.Fprintf(w, "<ДанныеСертификата><Отпечаток>%s</Отпечаток><Данные>%s</Данные></ДанныеСертификата>", c.Thumbprint(), wrapped(c.Raw))
		}
		fmt.Fprintf(w, `</Сертификаты></Ключ></КлючиУполномоченныхЛиц></ПрограммноАппаратныйКомплекс></ПрограммноАппаратныеКомплексы>
<ИНН>7707083893</ИНН><ОГРН>1027700132195</ОГРН><РеестровыйНомер>%d</РеестровыйНомер>
<СтатусАккредитации><Статус>%s</Статус><ДействуетС>2022-01-01T00:00:00</ДействуетС></СтатусАккредитации>
<ИсторияСтатусовАккредитации><СтатусАккредитации><Статус>Приостановлена</Статус><ДействуетС>2021-01-01T00:00:00</ДействуетС></СтатусАккредитации>
<СтатусАккредитации><Статус>Действует</Статус><ДействуетС>2020-01-01T00:00:00+03:00</ДействуетС></СтатусАккредитации></ИсторияСтатусовАккредитации></УдостоверяющийЦентр>`, i, status)
	}
	fmt.Fprint(w, `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo/></ds:Signature></АккредитованныеУдостоверяющиеЦентры>`)
}

// wrapped is Base64 in lines, as some editions have it.
func wrapped(der []byte) string {
	s := base64.StdEncoding.EncodeToString(der)
	var b strings.Builder
	for len(s) > 64 {
		b.WriteString(s[:64] + "\r\n")
		s = s[64:]
	}
	return b.String() + s
}

func TestAccreditedList(t *testing.T) {
	r, other := root(t, "gost256"), root(t, "p256")
	for _, status := range []string{"Действует", "Прекращена"} {
		var b strings.Builder
		listOf(&b, 2, status, r, other)
		l, err := ParseAccreditedList(strings.NewReader(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		if l.Version != "1234" || !l.Date.Equal(time.Date(2026, 1, 2, 0, 4, 5, 0, time.UTC)) || len(l.Authorities) != 2 || l.Unreadable != 0 {
			t.Errorf("%+v", l)
		}
		a := l.Authorities[1]
		if a.Name != "ООО «Пример» 1" || a.INN != "7707083893" || a.Number != "1" || a.Status.Status != status || len(a.Certificates) != 2 {
			t.Errorf("%+v", a)
		}
		if c := a.Certificates[0]; !c.Equal(r) || c.System != "УЦ Пример" || c.Class != "КС2" || len(c.CRLs) != 1 {
			t.Errorf("%+v", c)
		}
		for date, want := range map[string]bool{
			"2019-12-31": false, "2020-06-01": true, "2021-06-01": false, "2023-01-01": status == "Действует",
		} {
			if got := a.AccreditedAt(listDate(date)); got != want {
				t.Errorf("%s at %s: %v", status, date, got)
			}
		}
		if n := len(l.At(listDate("2020-06-01"))); n != 2 {
			t.Errorf("%d certificates", n)
		}
	}
}

// TestAccreditedListSize: a list of the size of the real one, without its memory.
func TestAccreditedListSize(t *testing.T) {
	r, w := io.Pipe()
	c := root(t, "gost256")
	const authorities = 2000
	size := &counter{w: w}
	go func() {
		listOf(size, authorities, "Действует", c, c, c, c, c, c, c, c, c, c, c, c, c, c, c)
		w.Close()
	}()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	l, err := ParseAccreditedList(r)
	if err != nil || len(l.Authorities) != authorities || l.Unreadable != 0 {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("%d MiB, %d certificates in %v, %d MiB kept", size.n>>20, 15*authorities, time.Since(start).Round(time.Millisecond), (after.HeapAlloc-before.HeapAlloc)>>20)
	if size.n < 20<<20 || len(l.At(time.Now())) != 1 {
		t.Errorf("%d bytes", size.n)
	}
}

type counter struct {
	w io.Writer
	n int
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += len(p)
	return c.w.Write(p)
}

func TestAccreditedListErrors(t *testing.T) {
	var b strings.Builder
	listOf(&b, 1, "Действует", root(t, "gost256"))
	good := b.String()
	for name, s := range map[string]string{
		"empty": "", "other root": "<a/>", "cut": good[:len(good)/2], "more after it": good + "<a/>",
		"doctype": strings.Replace(good, "<АккредитованныеУдостоверяющиеЦентры>", "<!DOCTYPE a [<!ENTITY b 'c'>]><АккредитованныеУдостоверяющиеЦентры>", 1),
		"entity":  strings.Replace(good, "Пример", "&b;", 1),
		"charset": strings.Replace(good, "utf-8", "windows-1251", 1),
	} {
		if _, err := ParseAccreditedList(strings.NewReader(s)); !errors.Is(err, ErrAccreditedList) {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad := strings.Replace(good, "<Данные>MII", "<Данные>MIJ", 1)
	if l, err := ParseAccreditedList(strings.NewReader(bad)); err != nil || l.Unreadable != 1 || len(l.Authorities[0].Certificates) != 0 {
		t.Errorf("%+v, %v", l, err)
	}
	endless := io.MultiReader(strings.NewReader("<АккредитованныеУдостоверяющиеЦентры>"), spaces{})
	if _, err := ParseAccreditedList(endless); !errors.Is(err, ErrTooLarge) || !errors.Is(err, ErrAccreditedList) {
		t.Errorf("endless: %v", err)
	}
	if _, err := ParseAccreditedList(io.MultiReader(strings.NewReader("<АккредитованныеУдостоверяющиеЦентры>"), brokenReader{})); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("broken: %v", err)
	}
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }
