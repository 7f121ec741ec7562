// SPDX-License-Identifier: GPL-3.0-or-later

package browser

// registryPlace is where one browser's registry settings are on Windows, below Software.
type registryPlace struct {
	name   string
	key    string
	family Family
}

var registryPlaces = []registryPlace{
	{"Google Chrome, Opera", `Google\Chrome`, Chromium},
	{"Chromium, Chromium-Gost", `Chromium`, Chromium},
	{"Microsoft Edge", `Microsoft\Edge`, Chromium},
	{"Yandex Browser", `Yandex\YandexBrowser`, Chromium},
	{"Brave", `BraveSoftware\Brave-Browser`, Chromium},
	{"Opera", `Opera Software\Opera Stable`, Chromium},
	{"Vivaldi", `Vivaldi`, Chromium},
	{"Firefox", `Mozilla`, Firefox},
}

// WindowsTargets are the registry keys of all browsers on Windows, below HKCU or HKLM, for packages built elsewhere. They
// have no Path.
func WindowsTargets() (all []Target) {
	for _, p := range registryPlaces {
		all = append(all, Target{Browser: p.name, Family: p.family, Key: `Software\` + p.key + `\NativeMessagingHosts\` + Name})
	}
	return all
}
