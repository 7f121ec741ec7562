// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
)

// The document is what a state portal gets: a register of invoices, with prefixes declared at the root and again further
// down, attributes on most elements, Cyrillic text, some comments and escaped characters. The seed is fixed, so every run
// of every version measures the same bytes.
const (
	documentHead = `<?xml version="1.0" encoding="UTF-8"?>
<reg:Реестр xmlns:reg="urn:example:register:1.0" xmlns:org="urn:example:organisation:1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ИдРеестра="R-2026-0001" ВерсФорм="5.02" xsi:schemaLocation="urn:example:register:1.0 register.xsd">
`
	documentTail = "</reg:Реестр>\n"
)

var (
	cities  = []string{"Москва", "Санкт-Петербург", "Новосибирск", "Екатеринбург", "Нижний Новгород", "Казань", "Омск"}
	streets = []string{"ул. Ленина", "пр-т Мира", "ул. 8 Марта", "наб. реки Фонтанки", "ш. Энтузиастов", "пер. Садовый"}
	goods   = []string{"Бумага офисная A4, 80 г/м&#178;", "Кабель &lt;витая пара&gt; 5e", "Услуги связи &amp; доставки",
		"Труба стальная 20×2,8", "Картридж 12A", "Ремонт помещений, этап 2", "Молоко пастеризованное 3,2 %"}
)

// writeDocument writes about size bytes; tail goes in before the end of the root.
func writeDocument(path string, size int, tail string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	if err := document(w, size, tail); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func document(w io.Writer, size int, tail string) error {
	r := rand.New(rand.NewPCG(1, 2))
	n, err := io.WriteString(w, documentHead)
	for i := 1; n < size && err == nil; i++ {
		var m int
		m, err = io.WriteString(w, invoice(r, i))
		n += m
	}
	if err == nil {
		_, err = io.WriteString(w, tail+documentTail)
	}
	return err
}

func invoice(r *rand.Rand, i int) string {
	s := fmt.Sprintf(`  <reg:СчетФактура Id="inv-%d" Номер="%06d" Дата="2026-%02d-%02d" КодВал="643">
    <org:Продавец org:ИНН="%010d" КПП="%09d">
      <org:Наименование>Общество с ограниченной ответственностью «Пример %d»</org:Наименование>
      <a:Адрес xmlns:a="urn:example:address:2.%d" Индекс="%06d"><a:Город>%s</a:Город><a:Улица>%s</a:Улица><a:Дом>%d</a:Дом></a:Адрес>
    </org:Продавец>
`, i, r.IntN(1e6), 1+r.IntN(12), 1+r.IntN(28), r.IntN(1e10), r.IntN(1e9), r.IntN(5000), r.IntN(3), r.IntN(1e6),
		cities[r.IntN(len(cities))], streets[r.IntN(len(streets))], 1+r.IntN(200))
	if i%20 == 0 {
		s += "    <!-- проверено " + cities[r.IntN(len(cities))] + " -->\n"
	}
	s += "    <Позиции xmlns=\"urn:example:items:1.0\">\n"
	for row := range 1 + r.IntN(5) {
		price, count := 100+r.IntN(1e7), 1+r.IntN(500)
		s += fmt.Sprintf("      <Позиция НомСтр=\"%d\" ОКЕИ='%d' СтавкаНДС=\"20%%\" Цена=\"%d.%02d\"><Наименование>%s</Наименование>"+
			"<Количество>%d</Количество><Сумма Валюта=\"RUB\">%d.00</Сумма><Прослеживаемость/></Позиция>\n",
			row+1, 100+r.IntN(900), price/100, price%100, goods[r.IntN(len(goods))], count, price/100*count)
	}
	return s + "    </Позиции>\n  </reg:СчетФактура>\n"
}
