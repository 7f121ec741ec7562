// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Access lists, as SDDL. Users read and start programs, and ask the service how it is; SYSTEM and administrators own both.
const (
	folderAccess  = "O:SYG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)"
	serviceAccess = "O:SYG:SYD:(A;;CCLCSWRPWPDTLOCRRC;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCLCSWLOCRRC;;;IU)(A;;CCLCSWLOCRRC;;;SU)"
)

// privileges are all that the service keeps of what LocalSystem may do: it starts programs for people who log on.
var privileges = []string{"SeTcbPrivilege", "SeAssignPrimaryTokenPrivilege", "SeIncreaseQuotaPrivilege"}

// Constants of Windows Installer and the service manager.
const (
	onInstall       = 1 // MsiServiceConfig.Event
	onReinstall     = 4
	sidType         = 5 // MsiServiceConfig.ConfigType: SERVICE_CONFIG_SERVICE_SID_INFO
	requiredRights  = 6 // SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO
	migrateFeatures = 1 // Upgrade.Attributes
	minimumCounts   = 256
	maximumCounts   = 512
	afterServices   = 5850 // InstallServices is 5800, StartServices 5900
	beforeFiles     = 3490 // RemoveFiles is 3500; StopServices and DeleteServices come at 1900 and 2000

	// Of a custom action: a program of the package, run when its turn comes; its failure stops nothing.
	runsProgram = 18 | 1024 | 64
	asSystem    = 2048

	codepage = "1251"
)

// statements say in msibuild's SQL what wixl cannot.
func (p pack) statements() (list []string) {
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	for _, c := range p.Conditions() {
		add("INSERT INTO `LaunchCondition` (`Condition`, `Description`) VALUES ('Installed OR %s OR NOT %s', '%s')", c.Holds, russian, c.Russian)
	}
	// wixl writes the row without its marks: the features chosen before stay chosen, and the same version is replaced, too.
	add("DELETE FROM `Upgrade` WHERE `ActionProperty` = 'OLDERFOUND'")
	add("INSERT INTO `Upgrade` (`UpgradeCode`, `VersionMin`, `VersionMax`, `Attributes`, `ActionProperty`) VALUES ('{%s}', '0.0.0', '%s', %d, 'OLDERFOUND')",
		p.Code("upgrade"), p.Number, migrateFeatures|minimumCounts|maximumCounts)
	// Removal for good, which an upgrade is not, ends what runs and takes keys and documents from profiles: see persten purge.
	kind, order := runsProgram, "purge"
	if !p.User {
		kind, order = runsProgram|asSystem, "purge --everybody"
	}
	add("INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('Forget', %d, 'persten.exe', '%s')", kind, order)
	add("INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('Forget', 'REMOVE=\"ALL\" AND NOT UPGRADINGPRODUCTCODE', %d)", beforeFiles)
	if p.User {
		return list
	}
	// wixl does not mark what Windows is to expand.
	expand := "UPDATE `Registry` SET `Value` = '#%%%s' WHERE `Registry` = '%s'"
	add(expand, `%SystemRoot%\System32\EventCreate.exe`, "EventMessages")
	add(expand, `"[INSTALLDIR]persten.exe" service run`, "ServiceCommand")
	add("CREATE TABLE `MsiLockPermissionsEx` (`MsiLockPermissionsEx` CHAR(72) NOT NULL, `LockObject` CHAR(72) NOT NULL, `Table` CHAR(32) NOT NULL, `SDDLText` CHAR(0) NOT NULL, `Condition` CHAR(255) PRIMARY KEY `MsiLockPermissionsEx`)")
	lock := "INSERT INTO `MsiLockPermissionsEx` (`MsiLockPermissionsEx`, `LockObject`, `Table`, `SDDLText`) VALUES ('%s', '%s', '%s', '%s')"
	add(lock, "Folder", "INSTALLDIR", "CreateFolder", folderAccess)
	// Anybody may make folders in ProgramData: this one, where the policy's certificates lie, is ours from the start.
	add("INSERT INTO `CreateFolder` (`Directory_`, `Component_`) VALUES ('DataDir', 'Program')")
	add(lock, "Data", "DataDir", "CreateFolder", folderAccess)
	add(lock, "Service", "Service", "ServiceInstall", serviceAccess)

	add("CREATE TABLE `MsiServiceConfig` (`MsiServiceConfig` CHAR(72) NOT NULL, `Name` CHAR(255) NOT NULL, `Event` INT NOT NULL, `ConfigType` LONG NOT NULL, `Argument` CHAR(0), `Component_` CHAR(72) NOT NULL PRIMARY KEY `MsiServiceConfig`)")
	set := "INSERT INTO `MsiServiceConfig` (`MsiServiceConfig`, `Name`, `Event`, `ConfigType`, `Argument`, `Component_`) VALUES ('%s', 'persten', %d, %d, '%s', 'Program')"
	add(set, "Sid", onInstall|onReinstall, sidType, "1")
	add(set, "Rights", onInstall|onReinstall, requiredRights, strings.Join(privileges, "[~]"))

	// Started again after 1, 5 and 30 seconds; a day without a crash forgets them.
	add("CREATE TABLE `MsiServiceConfigFailureActions` (`MsiServiceConfigFailureActions` CHAR(72) NOT NULL, `Name` CHAR(255) NOT NULL, `Event` INT NOT NULL, `ResetPeriod` LONG, `RebootMessage` CHAR(255), `Command` CHAR(255), `Actions` CHAR(0), `DelayActions` CHAR(0), `Component_` CHAR(72) NOT NULL PRIMARY KEY `MsiServiceConfigFailureActions`)")
	add("INSERT INTO `MsiServiceConfigFailureActions` (`MsiServiceConfigFailureActions`, `Name`, `Event`, `ResetPeriod`, `Actions`, `DelayActions`, `Component_`) VALUES ('Failure', 'persten', %d, 86400, '1[~]1[~]1', '1000[~]5000[~]30000', 'Program')", onInstall|onReinstall)
	add("INSERT INTO `InstallExecuteSequence` (`Action`, `Sequence`) VALUES ('MsiConfigureServices', %d)", afterServices)
	// The service's command stands in quotes whatever InstallServices wrote: a path with spaces is else tried word by word.
	add("UPDATE `InstallExecuteSequence` SET `Sequence` = %d WHERE `Action` = 'WriteRegistryValues'", afterServices+10)
	return list
}

// complete adds to the draft in dir what wixl does not know, and makes it the same in every build.
func (p pack) complete(dir string) error {
	// Texts are kept in a code page that has both languages; it must be set before the first Russian one comes.
	if err := os.WriteFile(filepath.Join(dir, "_ForceCodepage.idt"), []byte("\r\n\r\n"+codepage+"\t_ForceCodepage\r\n"), 0o644); err != nil {
		return err
	}
	if err := tool(dir, "msibuild", "persten.msi", "-i", "_ForceCodepage.idt"); err != nil {
		return err
	}
	for _, s := range p.statements() {
		if err := tool(dir, "msibuild", "persten.msi", "-q", s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	code, err := p.packageCode(dir)
	if err != nil {
		return err
	}
	return tool(dir, "msibuild", "persten.msi", "-s", "Persten "+p.Full, "Persten", "x64;1033", "{"+code+"}")
}

// packageCode is an id of the package's content: two packages that differ must not share one.
func (p pack) packageCode(dir string) (string, error) {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, e := range entries {
		if e.Name() == "persten.msi" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n", e.Name(), len(data))
		h.Write(data)
	}
	io.WriteString(h, strings.Join(p.statements(), "\n"))
	return p.Code("package", hex.EncodeToString(h.Sum(nil))), nil
}
