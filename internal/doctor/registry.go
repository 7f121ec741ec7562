// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

// checks in the order in which people read the findings: what everything else stands on comes first.
var checks = []Check{
	{Code: "config", Run: checkConfig},
	{Code: "agent", Run: checkAgent},
	{Code: "journal", Run: checkJournal},
	{Code: "disk", Run: checkDisk},
}

// fixes are the repairs findings offer.
var fixes = []Fix{
	{ID: "start_agent", Check: "agent", Do: startAgent},
	{ID: "clear_socket", Check: "agent", Do: clearSocket},
	{ID: "close_folder", Check: "agent", Do: closeFolder},
}
