// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import "persten/proto"

// checks in the order in which people read the findings: what everything else stands on comes first.
var checks = []Check{
	{Code: "config", Run: checkConfig},
	{Code: "agent", Run: checkAgent},
	{Code: "extension", Run: checkExtension},
	{Code: "native_host", Run: checkHosts},
	{Code: "port", Run: checkPort},
	{Code: "local_network", Run: checkLoopback},
	{Code: "pcscd", Run: checkPCSC},
	{Code: "readers", Run: checkReaders},
	{Code: "drivers", Run: checkDrivers},
	{Code: "csp", Run: checkCSP},
	{Code: "pins", Run: checkPINs},
	{Code: "certificates", Fault: proto.DoctorFaultCertificate, Run: checkCertificates},
	{Code: "chains", Run: checkChains},
	{Code: "revocation", Fault: proto.DoctorFaultCertificate, Run: checkRevocation},
	{Code: "key_files", Run: checkPassive},
	{Code: "clock", Run: checkClock},
	{Code: "network", Run: checkNetwork},
	{Code: "desktop", Run: checkDesktop},
	{Code: "journal", Run: checkJournal},
	{Code: "disk", Run: checkDisk},
}

// fixes are the repairs findings offer.
var fixes = []Fix{
	{ID: "start_agent", Check: "agent", Do: startAgent},
	{ID: "clear_socket", Check: "agent", Do: clearSocket},
	{ID: "import_root", Check: "chains", Args: []string{"fingerprint", "file", "confirmed"}, Needs: proto.DoctorNeedFile, Do: importRoot},
	{ID: "import_issuer", Check: "chains", Args: []string{"certificate"}, Needs: proto.DoctorNeedFile, Do: importIssuer},
	{ID: "fetch_issuer", Check: "chains", Args: []string{"certificate"}, Do: fetchIssuer},
	{ID: "renew_lists", Check: "revocation", Args: []string{"certificate"}, Do: renewLists},
	{ID: "add_keyfile", Check: "key_files", Args: []string{"path"}, Do: addKeyfile},
	{ID: "install_hosts", Check: "native_host", Do: installHosts},
	{ID: "close_folder", Check: "agent", Do: closeFolder},
}
