// SPDX-License-Identifier: GPL-3.0-or-later

package config

// Update is how `persten update check` looks for a newer version. Nothing else ever does.
type Update struct {
	Check string // the channel, "stable", or "off"; empty is stable
	URL   string // of the publisher's description, or of a copy inside the organisation; empty for the one built in
}

type updateTable struct {
	Check *string `toml:"check"`
	URL   *string `toml:"url"`
}

func (s *source) update(c *Config, d *document) error {
	if err := s.choice("update.check", d.Update.Check, &c.Update.Check, "stable", "off"); err != nil {
		return err
	}
	if d.Update.URL == nil {
		return nil
	}
	address, ok := asciiHost(*d.Update.URL)
	if !ok || address == "" || !webAddress(address) {
		return s.at("update.url", "must be an http or https address without a user name")
	}
	c.Update.URL = address
	return nil
}
