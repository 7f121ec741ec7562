// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import "testing"

func TestHolder(t *testing.T) {
	for _, c := range []struct {
		p    Person
		want Holder
	}{
		{Person{Surname: "Демонстрационный", GivenName: "Подписант", Organization: "ООО «Пример»", Title: "Директор", OGRN: "1027700132195", INNLE: "7707083893", SNILS: "11223344595"}, HolderRepresentative},
		{Person{CommonName: "ООО «Пример»", Surname: "Демонстрационный", GivenName: "Подписант", OGRN: "1027700132195", INN: "007707083893"}, HolderRepresentative},
		{Person{CommonName: "Демонстрационный Подписант", SNILS: "11223344595", INN: "500100732259", OGRN: "1027700132195"}, HolderRepresentative},
		{Person{Surname: "Демонстрационный", GivenName: "Подписант", OGRNIP: "304500116000157", INN: "500100732259"}, HolderEntrepreneur},
		{Person{Surname: "Демонстрационный", GivenName: "Подписант", Organization: "ИП Демонстрационный", OGRNIP: "304500116000157"}, HolderEntrepreneur},
		{Person{Surname: "Демонстрационный", GivenName: "Подписант", SNILS: "11223344595", INN: "500100732259"}, HolderPerson},
		{Person{CommonName: "Демонстрационный Подписант", INN: "500100732259"}, HolderPerson},
		{Person{Surname: "Demo", GivenName: "Signer"}, HolderPerson},
		{Person{CommonName: "ООО «Пример»", OGRN: "1027700132195", INNLE: "7707083893"}, HolderOrganization},
		{Person{CommonName: "ООО «Пример»", INN: "007707083893"}, HolderOrganization},
		{Person{CommonName: "ООО «Пример»", INN: "7707083893"}, HolderOrganization},
		{Person{Organization: "ООО «Пример»"}, HolderOrganization},
		{Person{CommonName: "portal.example"}, HolderUnknown},
		{Person{CommonName: "X", INN: "00500100732259"}, HolderUnknown},
		{Person{Surname: "Демонстрационный"}, HolderUnknown},
		{Person{}, HolderUnknown},
	} {
		c.p.sortINN()
		if got := c.p.Holder(); got != c.want {
			t.Errorf("%+v: %s, want %s", c.p, got, c.want)
		}
	}
}

func TestGivenNames(t *testing.T) {
	for in, want := range map[string][2]string{
		"Иван Иванович":           {"Иван", "Иванович"},
		"ИВАН ИЛЬИЧ":              {"ИВАН", "ИЛЬИЧ"},
		"Анна Ильинична":          {"Анна", "Ильинична"},
		"Анна Мария Сергеевна":    {"Анна Мария", "Сергеевна"},
		" Пётр  Лукич ":           {"Пётр", "Лукич"},
		"Ivan Ivanovich":          {"Ivan", "Ivanovich"},
		"Anna Sergeevna":          {"Anna", "Sergeevna"},
		"Эльдар Рустам оглы":      {"Эльдар", "Рустам оглы"},
		"Лейла Рустам Кызы":       {"Лейла", "Рустам Кызы"},
		"Эльдар Рустам-оглы":      {"Эльдар", "Рустам-оглы"},
		"Анна Мария":              {"Анна Мария", ""},
		"Иван":                    {"Иван", ""},
		"Иванович":                {"Иванович", ""},
		"Рустам оглы":             {"Рустам оглы", ""},
		"Ли Ич":                   {"Ли Ич", ""},
		"Подписант":               {"Подписант", ""},
		"":                        {"", ""},
		"Жан-Пьер \u202eИванович": {"Жан-Пьер", "\u202eИванович"},
	} {
		given, patronymic := Person{GivenName: in}.GivenNames()
		if given != want[0] || patronymic != want[1] {
			t.Errorf("%q: %q and %q", in, given, patronymic)
		}
	}
}
