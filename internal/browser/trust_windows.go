// SPDX-License-Identifier: GPL-3.0-or-later

package browser

// trustStores is for NSS databases; Windows' own certutil is another program.
func trustStores() ([]string, error) { return nil, ErrNoTrustTool }
