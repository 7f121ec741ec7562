// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"persten/internal/browser"
)

// need skips a test whose tools are not here, and says so.
func need(t *testing.T, tools ...string) {
	t.Helper()
	for _, name := range tools {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("NOT RUN: %s is not here: installer/deps.sh msi", name)
		}
	}
}

// build makes a package around small files instead of the programs, whose content no table depends on.
func build(t *testing.T, p pack, key *signer) string {
	t.Helper()
	need(t, "wixl", "msibuild", "msiinfo")
	stage := t.TempDir()
	for _, prog := range programs {
		if err := os.WriteFile(filepath.Join(stage, prog.Name), []byte("MZ "+prog.Name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := stageFiles(stage); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), p.fileName())
	if err := p.make(stage, file, key); err != nil {
		t.Fatal(err)
	}
	return file
}

type row map[string]string

// table reads one table of a package; nil when it has none of that name.
func table(t *testing.T, file, name string) (rows []row) {
	t.Helper()
	cmd := exec.Command("msiinfo", "export", file, name)
	cmd.Dir = t.TempDir() // pictures are written there
	said, err := cmd.Output()
	if err != nil {
		return nil
	}
	lines := strings.Split(strings.ReplaceAll(string(said), "\r", ""), "\n")
	columns := strings.Split(lines[0], "\t")
	for _, line := range lines[3:] {
		if line == "" {
			continue
		}
		r := row{}
		for i, v := range strings.Split(line, "\t") {
			r[columns[i]] = v
		}
		rows = append(rows, r)
	}
	return rows
}

var (
	machine = pack{version: parseVersion("v1.2.3")}
	person  = pack{version: parseVersion("v1.2.3"), User: true}
	packs   = []pack{machine, person}
)

func TestVersion(t *testing.T) {
	for in, want := range map[string][2]string{
		"v1.2.3":                  {"1.2.3", "1.2.3.0"},
		"1.2.3":                   {"1.2.3", "1.2.3.0"},
		"v1.2.3-45-gabcdef0":      {"1.2.3", "1.2.3.45"},
		"v1.2.3-45-gabc-dirty":    {"1.2.3", "1.2.3.45"},
		"abcdef0":                 {"0.0.1", "0.0.1.0"},
		"i7-matrix-before-3-gabc": {"0.0.1", "0.0.1.0"},
		"v1234.5.6":               {"0.0.1", "0.0.1.0"},
	} {
		if v := parseVersion(in); v.Number != want[0] || v.File != want[1] {
			t.Errorf("%s: %s, %s; want %v", in, v.Number, v.File, want)
		}
	}
}

// TestCustomActions: with the installer's rights one program of ours runs, when the package is removed for good, and no other.
func TestCustomActions(t *testing.T) {
	for _, p := range packs {
		file := build(t, p, nil)
		if rows := table(t, file, "Binary"); len(rows) > 0 {
			t.Errorf("%s: table Binary has %d rows", p.fileName(), len(rows))
		}
		want, order := runsProgram|asSystem, "purge --everybody"
		if p.User {
			want, order = runsProgram, "purge"
		}
		if a := table(t, file, "CustomAction"); len(a) != 1 || number(t, a[0]["Type"]) != want || a[0]["Source"] != "persten.exe" || a[0]["Target"] != order {
			t.Errorf("%s: custom actions %v", p.fileName(), a)
		}
		for _, sequence := range []string{"InstallUISequence", "AdminExecuteSequence", "AdminUISequence", "AdvtExecuteSequence", "InstallExecuteSequence"} {
			for _, r := range table(t, file, sequence) {
				if r["Action"] == "Forget" && (sequence != "InstallExecuteSequence" || r["Condition"] != `REMOVE="ALL" AND NOT UPGRADINGPRODUCTCODE`) {
					t.Errorf("%s: in %s if %s", p.fileName(), sequence, r["Condition"])
				}
			}
		}
	}
}

// TestServiceCommand: a path with spaces that has no quotes is tried word by word, which starts what lies in C:\Program.exe.
func TestServiceCommand(t *testing.T) {
	rows := table(t, build(t, machine, nil), "Registry")
	i := slices.IndexFunc(rows, func(r row) bool { return r["Key"] == `SYSTEM\CurrentControlSet\Services\persten` })
	if i < 0 || rows[i]["Name"] != "ImagePath" || rows[i]["Value"] != `#%"[INSTALLDIR]persten.exe" service run` {
		t.Errorf("command of the service: %v", rows)
	}
	i = slices.IndexFunc(rows, func(r row) bool { return r["Name"] == "EventMessageFile" })
	if i < 0 || rows[i]["Value"] != `#%%SystemRoot%\System32\EventCreate.exe` {
		t.Errorf("messages of events: %v", rows)
	}
}

var guid = regexp.MustCompile(`^\{[0-9A-F]{8}-[0-9A-F]{4}-5[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}\}$`)

// TestComponents: each has an id of its own and a key path that belongs to it, of the kind its place asks for, and is in a feature.
func TestComponents(t *testing.T) {
	seen := map[string]string{}
	for _, p := range packs {
		file := build(t, p, nil)
		files, values, inFeature := table(t, file, "File"), table(t, file, "Registry"), table(t, file, "FeatureComponents")
		const byRegistry, in64 = 4, 256
		for _, c := range table(t, file, "Component") {
			name, attributes := c["Component"], number(t, c["Attributes"])
			if !guid.MatchString(c["ComponentId"]) || seen[c["ComponentId"]] != "" {
				t.Errorf("%s: id %s, also of %q", name, c["ComponentId"], seen[c["ComponentId"]])
			}
			seen[c["ComponentId"]] = name
			rows, column := files, "File"
			if attributes&byRegistry != 0 {
				rows, column = values, "Registry"
			}
			if p.User != (attributes&byRegistry != 0) {
				t.Errorf("%s: key path %s; in a person's folders it is a registry value, elsewhere a file", name, c["KeyPath"])
			}
			if !slices.ContainsFunc(rows, func(r row) bool { return r[column] == c["KeyPath"] && r["Component_"] == name }) {
				t.Errorf("%s: key path %q is not its own", name, c["KeyPath"])
			}
			if attributes&in64 == 0 {
				t.Errorf("%s is not of the 64-bit part of Windows", name)
			}
			if !slices.ContainsFunc(inFeature, func(r row) bool { return r["Component_"] == name }) {
				t.Errorf("%s is in no feature", name)
			}
		}
	}
}

// TestReferences: what a row names in another table is there.
func TestReferences(t *testing.T) {
	references := map[string]string{"Component_": "Component", "Feature_": "Feature", "Feature_Parent": "Feature", "Directory_": "Directory", "Directory_Parent": "Directory", "File_": "File", "Icon_": "Icon", "DirProperty": "Directory"}
	for _, p := range packs {
		file := build(t, p, nil)
		said, err := exec.Command("msiinfo", "tables", file).Output()
		if err != nil {
			t.Fatal(err)
		}
		keys, checked := map[string][]string{}, 0
		for _, name := range references {
			key := name
			if name == "Icon" {
				key = "Name"
			}
			for _, r := range table(t, file, name) {
				keys[name] = append(keys[name], r[key])
			}
		}
		for _, name := range strings.Fields(string(said)) {
			for _, r := range table(t, file, name) {
				for column, other := range references {
					if v := r[column]; v != "" {
						checked++
						if !slices.Contains(keys[other], v) {
							t.Errorf("%s: %s of %s names %q, which is not in %s", p.fileName(), column, name, v, other)
						}
					}
				}
			}
		}
		if checked < 30 {
			t.Errorf("%s: only %d references", p.fileName(), checked)
		}
	}
}

// TestPlaces: the machine's package touches nobody's profile, a person's nothing of the machine.
func TestPlaces(t *testing.T) {
	const currentUser, localMachine = "1", "2"
	for _, p := range packs {
		file, want := build(t, p, nil), localMachine
		if p.User {
			want = currentUser
		}
		for _, r := range table(t, file, "Registry") {
			if r["Root"] != want {
				t.Errorf("%s: %s has root %s", p.fileName(), r["Key"], r["Root"])
			}
		}
		for _, d := range table(t, file, "Directory") {
			if personal := d["Directory"] == "LocalAppDataFolder" || d["Directory"] == "AppDataFolder"; personal && !p.User {
				t.Errorf("%s: folder %s", p.fileName(), d["Directory"])
			}
		}
		all := property(t, file, "ALLUSERS")
		if p.User && (all != "" || table(t, file, "ServiceInstall") != nil) || !p.User && all != "1" {
			t.Errorf("%s: ALLUSERS=%q, service %v", p.fileName(), all, table(t, file, "ServiceInstall"))
		}
	}
}

// TestFoldersAreRemoved: what a person's package makes in the profile is taken away by it, since Windows does not do it there.
func TestFoldersAreRemoved(t *testing.T) {
	file := build(t, person, nil)
	removed := map[string]bool{}
	for _, r := range table(t, file, "RemoveFile") {
		removed[r["DirProperty"]] = r["InstallMode"] == "2" && r["FileName"] == ""
	}
	for _, d := range table(t, file, "Directory") {
		switch name := d["Directory"]; name {
		case "TARGETDIR", "LocalAppDataFolder", "ProgramMenuFolder", "UserPrograms": // folders of Windows
		default:
			if !removed[name] {
				t.Errorf("folder %s stays", name)
			}
		}
	}
}

func TestBrowsersFindHost(t *testing.T) {
	for _, p := range packs {
		file := build(t, p, nil)
		found := map[string]string{}
		for _, r := range table(t, file, "Registry") {
			if r["Name"] == "" {
				found[r["Key"]] = r["Value"]
			}
		}
		if len(browser.WindowsTargets()) < 8 {
			t.Fatal("browsers are missing from the table")
		}
		for _, b := range browser.WindowsTargets() {
			if want := "[NativeDir]persten.agent." + string(b.Family) + ".json"; found[b.Key] != want {
				t.Errorf("%s: %s is %q, not %q", b.Browser, b.Key, found[b.Key], want)
			}
		}
	}
	for _, family := range []browser.Family{browser.Chromium, browser.Firefox} {
		var m struct {
			Name, Path, Type  string
			AllowedOrigins    []string `json:"allowed_origins"`
			AllowedExtensions []string `json:"allowed_extensions"`
		}
		if err := json.Unmarshal(manifest(family), &m); err != nil {
			t.Fatal(err)
		}
		if m.Name != browser.Name || m.Path != `..\persten.exe` || m.Type != "stdio" || len(m.AllowedOrigins)+len(m.AllowedExtensions) != 1 {
			t.Errorf("%s: %+v", family, m)
		}
	}
}

// TestService: as LocalSystem with three privileges, started at boot and after a crash, gone with the package, and not to be
// changed by users.
func TestService(t *testing.T) {
	file := build(t, machine, nil)
	services := table(t, file, "ServiceInstall")
	if len(services) != 1 {
		t.Fatalf("%d services", len(services))
	}
	s := services[0]
	const ownProcess, automatic, normal = "16", "2", "1"
	if s["Name"] != "persten" || s["ServiceType"] != ownProcess || s["StartType"] != automatic || s["StartName"] != "" || s["Arguments"] != "service run" || s["ErrorControl"] != normal {
		t.Errorf("service %v", s)
	}
	const startInstall, stopBoth, deleteUninstall = 1, 2 | 32, 128
	if c := table(t, file, "ServiceControl"); len(c) != 1 || c[0]["Event"] != strconv.Itoa(startInstall|stopBoth|deleteUninstall) || c[0]["Wait"] != "1" {
		t.Errorf("service control %v", c)
	}
	configured := map[string]string{}
	for _, r := range table(t, file, "MsiServiceConfig") {
		configured[r["ConfigType"]] = r["Argument"]
	}
	if configured["6"] != "SeTcbPrivilege[~]SeAssignPrimaryTokenPrivilege[~]SeIncreaseQuotaPrivilege" || configured["5"] != "1" {
		t.Errorf("service configuration %v", configured)
	}
	if f := table(t, file, "MsiServiceConfigFailureActions"); len(f) != 1 || f[0]["Actions"] != "1[~]1[~]1" {
		t.Errorf("failure actions %v", f)
	}
}

// TestAccess: of the folder and the service, only SYSTEM and administrators may change anything.
func TestAccess(t *testing.T) {
	file := build(t, machine, nil)
	locks := map[string]string{}
	for _, r := range table(t, file, "MsiLockPermissionsEx") {
		locks[r["LockObject"]+" "+r["Table"]] = r["SDDLText"]
	}
	if len(locks) != 3 || locks["INSTALLDIR CreateFolder"] == "" || locks["DataDir CreateFolder"] == "" || locks["Service ServiceInstall"] == "" {
		t.Fatalf("locked: %v", locks)
	}
	// Rights, in SDDL, that a user may have to the folder (read and start) and the service (ask, enumerate, interrogate).
	const read, ask = "0x1200a9", "CCLCSWLOCRRC"
	entry := regexp.MustCompile(`\(A;([A-Z]*);([A-Za-z0-9]+);;;([A-Z]{2})\)`)
	for object, sddl := range locks {
		if !strings.HasPrefix(sddl, "O:SYG:SYD:") {
			t.Errorf("%s: %s is not SYSTEM's", object, sddl)
		}
		for _, m := range entry.FindAllStringSubmatch(sddl, -1) {
			if m[3] != "SY" && m[3] != "BA" && m[2] != read && m[2] != ask {
				t.Errorf("%s: %s has %s", object, m[3], m[2])
			}
		}
	}
	made := table(t, file, "CreateFolder")
	for _, folder := range []string{"INSTALLDIR", "DataDir"} {
		if !strings.Contains(locks[folder+" CreateFolder"], "D:PAI") {
			t.Errorf("%s takes over what others set above it", folder)
		}
		if !slices.ContainsFunc(made, func(r row) bool { return r["Directory_"] == folder }) {
			t.Errorf("%s is not made, so nothing is set", folder)
		}
	}
}

func TestUpgradeRules(t *testing.T) {
	newer := pack{version: parseVersion("v1.3.0")}
	for _, p := range packs {
		file := build(t, p, nil)
		rules := map[string]row{}
		for _, r := range table(t, file, "Upgrade") {
			rules[r["ActionProperty"]] = r
		}
		const onlyDetect, migrate, minimum, maximum = 2, 1, 256, 512
		older, found := rules["OLDERFOUND"], rules["NEWERFOUND"]
		if number(t, older["Attributes"]) != migrate|minimum|maximum || older["VersionMax"] != "1.2.3" {
			t.Errorf("older: %v", older)
		}
		if number(t, found["Attributes"]) != onlyDetect || found["VersionMin"] != "1.2.3" {
			t.Errorf("newer: %v", found)
		}
		secure := strings.Split(property(t, file, "SecureCustomProperties"), ";")
		if !slices.Contains(secure, "OLDERFOUND") || !slices.Contains(secure, "NEWERFOUND") {
			t.Errorf("SecureCustomProperties %v", secure)
		}
		if property(t, file, "REBOOT") != "ReallySuppress" || property(t, file, "MSIRESTARTMANAGERCONTROL") != "Disable" {
			t.Error("the machine may be restarted")
		}
	}
	next := build(t, newer, nil)
	this := build(t, machine, nil)
	if property(t, next, "UpgradeCode") != property(t, this, "UpgradeCode") || property(t, next, "ProductCode") == property(t, this, "ProductCode") {
		t.Error("another version must be another product of the same line")
	}
	if property(t, this, "UpgradeCode") == property(t, build(t, person, nil), "UpgradeCode") {
		t.Error("the machine's package and a person's are of one line")
	}
}

// TestRefusals: each refusal is one sentence, in the language of who installs, and what is installed can be removed.
func TestRefusals(t *testing.T) {
	for _, p := range packs {
		rows := table(t, build(t, p, nil), "LaunchCondition")
		if len(rows) != 2*len(p.Conditions()) {
			t.Errorf("%d conditions", len(rows))
		}
		for _, c := range p.Conditions() {
			for text, suffix := range map[string]string{c.English: " OR UserLanguageID = 1049", c.Russian: " OR NOT UserLanguageID = 1049"} {
				want := "Installed OR " + c.Holds + suffix
				if !slices.ContainsFunc(rows, func(r row) bool { return r["Condition"] == want && r["Description"] == text }) {
					t.Errorf("no %q with %q in %v", want, text, rows)
				}
				if strings.Count(text, ".") != 1 {
					t.Errorf("not one sentence: %s", text)
				}
			}
		}
	}
}

// TestSequence: what others rely on comes first.
func TestSequence(t *testing.T) {
	file := build(t, machine, nil)
	at := map[string]int{}
	for _, r := range table(t, file, "InstallExecuteSequence") {
		at[r["Action"]] = number(t, r["Sequence"])
	}
	orders := [][]string{
		{"AppSearch", "LaunchConditions", "CostInitialize"},
		{"FindRelatedProducts", "LaunchConditions"},
		{"InstallInitialize", "RemoveExistingProducts", "ProcessComponents"},
		{"StopServices", "DeleteServices", "RemoveFiles", "CreateFolders", "InstallFiles", "InstallServices", "MsiConfigureServices", "WriteRegistryValues", "StartServices", "InstallFinalize"},
		{"RemoveRegistryValues", "WriteRegistryValues", "InstallFinalize"},
		{"StopServices", "DeleteServices", "Forget", "RemoveFiles"},
	}
	for _, order := range orders {
		for i, name := range order {
			if at[name] == 0 || i > 0 && at[name] <= at[order[i-1]] {
				t.Errorf("%s at %d, not after %v", name, at[name], order[:i])
			}
		}
	}
}

// TestNoPolicy: the administrator's rules are not the package's, so that neither removal nor an upgrade takes them away.
func TestNoPolicy(t *testing.T) {
	for _, p := range packs {
		for _, r := range table(t, build(t, p, nil), "Registry") {
			if strings.HasPrefix(r["Key"], `Software\Policies`) {
				t.Errorf("%s writes %s", p.fileName(), r["Key"])
			}
		}
	}
}

func TestSameBytes(t *testing.T) {
	for _, p := range packs {
		first := build(t, p, nil)
		time.Sleep(2100 * time.Millisecond) // the coarsest date in a package counts two seconds
		a, errA := os.ReadFile(first)
		b, errB := os.ReadFile(build(t, p, nil))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: two builds differ (%d and %d bytes) %v %v", p.fileName(), len(a), len(b), errA, errB)
		}
	}
}

// TestPackageCode: packages that differ have different codes.
func TestPackageCode(t *testing.T) {
	codes := map[string]bool{}
	for _, p := range []pack{machine, person, {version: parseVersion("v1.2.4")}} {
		said, err := exec.Command("msiinfo", "suminfo", build(t, p, nil)).Output()
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(`(?m)^Revision number.*?(\{[^}]+\})`).FindSubmatch(said)
		if m == nil || codes[string(m[1])] || !bytes.Contains(said, []byte("x64;1033")) {
			t.Errorf("%s: %s", p.fileName(), said)
		} else {
			codes[string(m[1])] = true
		}
		const noAdministrator = "Source: 10 "
		if bytes.Contains(said, []byte(noAdministrator)) != p.User {
			t.Errorf("%s asks for an administrator, or does not: %s", p.fileName(), said)
		}
	}
}

// TestSigned: with the builder's key the package carries a signature that another program verifies, and only under that key.
func TestSigned(t *testing.T) {
	need(t, "osslsigncode")
	key := publisher(t)
	file := build(t, machine, key)
	if said, err := exec.Command("osslsigncode", "verify", "-CAfile", key.cert, "-in", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	if err := exec.Command("osslsigncode", "verify", "-CAfile", publisher(t).cert, "-in", file).Run(); err == nil {
		t.Error("verified with another publisher's certificate")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(data, []byte("MSCF")) // the files' cabinet
	data[i+60] ^= 1
	bad := filepath.Join(t.TempDir(), "bad.msi")
	if err := os.WriteFile(bad, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("osslsigncode", "verify", "-CAfile", key.cert, "-in", bad).Run(); i < 0 || err == nil {
		t.Error("a changed package verified")
	}
}

func TestSigningKeyNeedsBoth(t *testing.T) {
	t.Setenv("SIGN_KEY", "")
	t.Setenv("SIGN_CERT", filepath.Join(t.TempDir(), "absent.pem"))
	if _, err := signingKey(); err == nil {
		t.Error("a certificate without a key is no mistake")
	}
	t.Setenv("SIGN_CERT", "")
	if s, err := signingKey(); s != nil || err != nil {
		t.Error(s, err)
	}
}

// publisher makes a certificate for code and its key.
func publisher(t *testing.T) *signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Демонстрационный издатель"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &signer{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	for name, block := range map[string]*pem.Block{s.cert: {Type: "CERTIFICATE", Bytes: der}, s.key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func property(t *testing.T, file, name string) string {
	t.Helper()
	for _, r := range table(t, file, "Property") {
		if r["Property"] == name {
			return r["Value"]
		}
	}
	return ""
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Errorf("number %q", s)
	}
	return n
}
