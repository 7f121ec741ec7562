// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"persten/internal/signing"
	"persten/internal/ui"
)

// order is a purchase order in an envelope: a portal has the order signed, not the envelope.
const order = `<?xml version="1.0" encoding="UTF-8"?>
<env:Envelope xmlns:env="urn:example:envelope" xmlns="urn:example:order">
  <env:Header>
    <env:Sender>lk.portal.example</env:Sender>
    <env:Sent>2026-11-22T09:30:00+03:00</env:Sent>
  </env:Header>
  <env:Body>
    <Заказ Id="order-4417" Номер="4417" Дата="2026-11-22">
      <!-- срок согласован по телефону -->
      <Поставщик ИНН="7709123456">ООО «Ромашка»</Поставщик>
      <Покупатель ИНН="7701987654">АО «Пример»</Покупатель>
      <Товар>
        <Наименование>Бумага офисная А4, 80 г/м²</Наименование>
        <Количество Единица="пачка">120</Количество>
        <Цена Валюта="RUB">310.00</Цена>
      </Товар>
      <Итого Валюта="RUB">37200.00</Итого>
      <Срок>2026-12-01</Срок>
    </Заказ>
  </env:Body>
  <env:Trace>a81f-77</env:Trace>
</env:Envelope>
`

// xmlQuestion is a question about an XML document; part is the piece that gets signed, all of it when empty.
func xmlQuestion(t *testing.T, lang, name, content, part string) signing.Question {
	t.Helper()
	f := opened(t, []byte(content))
	q := question(t, lang)
	q.Profile, q.XML = "xades-bes enveloped", &signing.XMLForm{Mode: "enveloped", Profile: "xades-bes"}
	q.Attached = true
	d := &q.Documents[0]
	d.Name, d.MIME, d.Size, d.Content = name, "application/xml", int64(len(content)), f
	d.Whole, d.Covered = part == "", []signing.Span{{Begin: 0, End: int64(len(content)), Element: "Envelope"}}
	if part != "" {
		q.XML.Mode, q.Profile = "detached", "xades-bes detached"
		from := int64(strings.Index(content, part))
		d.Covered = []signing.Span{{Begin: from, End: from + int64(len(part)), Element: "Заказ", ID: "order-4417"}}
	}
	return q
}

// orderPart is the element that gets signed.
func orderPart(t *testing.T) string {
	t.Helper()
	_, rest, ok := strings.Cut(order, "<Заказ")
	body, _, closed := strings.Cut(rest, "</Заказ>")
	if !ok || !closed {
		t.Fatal("the order has no order")
	}
	return "<Заказ" + body + "</Заказ>"
}

// view opens the document with the keyboard, as somebody who does not use the mouse.
func (s *screen) view(shot string) {
	s.t.Helper()
	s.calmly("shift+Tab", "Return")
	s.shot(shot)
}

// calmly presses keys as somebody does who waits for each to show. A window that changes its size may be deaf again, and
// the toolkit moves the focus by Tab only when nothing waits to be drawn.
func (s *screen) calmly(names ...string) {
	s.t.Helper()
	for _, k := range names {
		s.keys(k)
		time.Sleep(400 * time.Millisecond)
		if k == "Return" {
			s.listening()
		}
	}
}

func TestXMLDocumentAsTree(t *testing.T) {
	s := newScreen(t)
	for _, lang := range languages(0) {
		for name, part := range map[string]string{"whole": "", "part": orderPart(t)} {
			a := s.ask(t.Context(), xmlQuestion(t, lang, "Заказ 4417.xml", order, part))
			s.shot("xml-" + name + "-asking-" + lang)
			s.view("xml-" + name + "-tree-" + lang)
			s.calmly("Tab", "Tab", "Return") // as text
			s.shot("xml-" + name + "-text-" + lang)
			s.calmly("shift+Tab", "Return", "Tab", "Tab")
			s.typed("4321")
			s.keys("Return")
			if d := s.decision(a); !d.Approved || !d.Viewed[0] {
				t.Fatalf("%s %s: decision %+v", lang, name, d)
			}
			a.Close(signing.Outcome{Signed: []string{"Заказ 4417.xml"}, Time: time.Now()})
			s.listening()
			s.shot("xml-" + name + "-created-" + lang)
			s.keys("Return")
			s.closes()
		}
	}
}

// A long document opens at what will be signed and scrolls by keys.
func TestLongXMLDocument(t *testing.T) {
	s := newScreen(t)
	var b strings.Builder
	b.WriteString("<Реестр>")
	for i := range 7000 {
		fmt.Fprintf(&b, "<Строка номер=\"%d\"><Сумма>%d.00</Сумма></Строка>", i, 100+i)
		if i == 400 {
			b.WriteString(orderPart(t))
		}
	}
	b.WriteString("</Реестр>")
	a := s.ask(t.Context(), xmlQuestion(t, "ru", "Реестр.xml", b.String(), orderPart(t)))
	s.view("xml-long-ru")
	for _, k := range []string{"Down", "Next", "End", "Prior", "Home"} {
		s.keys(k)
		time.Sleep(300 * time.Millisecond)
		s.shot("xml-long-" + k + "-ru")
	}
	s.keys("Escape")
	if s.decision(a).Approved {
		t.Fatal("approved")
	}
}

// hostileXML tries to leave its place: marks that turn the text round, text that looks like our words, names without end,
// and an element deeper than anything a person would follow.
func hostileXML() string {
	deep, n := strings.Repeat("<в>", 200), strings.Repeat("</в>", 200)
	return "<Заказ>\n<a>\u202eне оплачен\u2066 \u200b\u200f Итого\u00a0100</a>\n<Подписывается/>Подписывается весь документ\n" +
		"<" + strings.Repeat("ОченьДлинноеИмяЭлемента", 30) + " атрибут=\"" + strings.Repeat("W", 5000) + "\">x</" + strings.Repeat("ОченьДлинноеИмяЭлемента", 30) + ">\n" +
		"<s>" + strings.Repeat("бесконечный текст ", 4000) + "</s><!-- \u202e--><?xml-stylesheet \u202ehref='http://evil.example'?>" +
		"<f>&lt;/Заказ&gt; &#13;&#10; \U000E0041 שלום</f>" + deep + "дно" + n + "</Заказ>"
}

func TestHostileXML(t *testing.T) {
	s := newScreen(t)
	for _, lang := range languages(1) {
		q := xmlQuestion(t, lang, "\u202eлмx.заказ.xml", hostileXML(), "<f>")
		q.Documents[0].Covered[0].Element, q.Documents[0].Covered[0].ID = strings.Repeat("Элемент", 100), "x\u202e\"><b>"+strings.Repeat("9", 500)
		a := s.ask(t.Context(), q)
		s.view("xml-hostile-" + lang)
		for i, k := range []string{"Home", "Next", "Next", "Next", "End"} {
			s.keys(k)
			time.Sleep(300 * time.Millisecond)
			s.shot(fmt.Sprintf("xml-hostile-%d-%s", i, lang))
		}
		s.keys("Escape")
		if d := s.decision(a); d.Approved || !d.Viewed[0] {
			t.Fatalf("decision %+v", d)
		}
		a.Close(signing.Outcome{Code: "user_rejected", Time: time.Now()})
		s.listening()
		s.keys("Escape")
		s.closes()
	}
}

// What is no XML the strict reader takes is shown as text, with a word about that. It gets no XML signature, so this is a
// document for a CMS signature.
func TestXMLThatIsNone(t *testing.T) {
	s := newScreen(t)
	for _, lang := range languages(2) {
		q := xmlQuestion(t, lang, "Заказ.xml", "<?xml version=\"1.0\"?>\n<!DOCTYPE Заказ SYSTEM \"http://evil.example/x.dtd\">\n<Заказ>120</Заказ>\n", "")
		q.XML, q.Profile, q.Attached, q.Documents[0].Covered, q.Documents[0].Whole = nil, "cades-bes", false, nil, false
		a := s.ask(t.Context(), q)
		s.view("xml-refused-" + lang)
		s.keys("Escape")
		if d := s.decision(a); d.Approved || !d.Viewed[0] {
			t.Fatalf("decision %+v", d)
		}
		a.Close(signing.Outcome{Code: "user_rejected", Time: time.Now()})
		s.listening()
		s.keys("Escape")
		s.closes()
	}
}

// The program that reads documents, as the window starts it, and what of its output is believed.
func TestViewingProcess(t *testing.T) {
	q := xmlQuestion(t, "ru", "a.xml", order, orderPart(t))
	v := ui.Viewer(func(ctx context.Context, args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, build(t), append([]string{"view"}, args...)...)
	})
	tree, err := v.Tree(t.Context(), q.Documents[0].Content, q.Documents[0].Covered)
	if err != nil || !tree.Marked || tree.Cut || tree.Refused {
		t.Fatalf("%+v, %v", tree, err)
	}
	signed := 0
	for _, r := range tree.Rows {
		if r.Signed {
			signed++
		}
	}
	// 15 elements and a comment; nine of the elements are the order and what is in it.
	if len(tree.Rows) != 16 || signed != 9 {
		t.Errorf("%d rows, %d of them signed:\n%+v", len(tree.Rows), signed, tree.Rows)
	}
	lines, err := v.Lines(t.Context(), q.Documents[0].Content, ui.FormText)
	if err != nil || len(lines.Text) != strings.Count(order, "\n") {
		t.Errorf("%d lines, %v", len(lines.Text), err)
	}
	var many []signing.Span
	for i := range int64(2000) {
		many = append(many, signing.Span{Begin: 10 * i, End: 10*i + 1})
	}
	if _, err := v.Tree(t.Context(), q.Documents[0].Content, many); err == nil {
		t.Error("2,000 pieces were handed over")
	}
}
