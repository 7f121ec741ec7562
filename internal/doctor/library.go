// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"debug/elf"
	"debug/pe"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strconv"
)

// errArchitecture: the library is for programs of another kind than this one.
var errArchitecture = errors.New("made for another processor")

var (
	elfMachines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "386": elf.EM_386, "arm": elf.EM_ARM}
	peMachines  = map[string]uint16{"amd64": pe.IMAGE_FILE_MACHINE_AMD64, "arm64": pe.IMAGE_FILE_MACHINE_ARM64, "386": pe.IMAGE_FILE_MACHINE_I386}
)

// library looks at the head of a shared library. bits is its width, if that is known. A file of another form is for the module's
// own process to judge.
func library(path string) (bits string, err error) {
	if _, err := os.Stat(path); err != nil {
		return "", err
	}
	if f, err := elf.Open(path); err == nil {
		defer f.Close()
		bits = map[elf.Class]string{elf.ELFCLASS32: "32", elf.ELFCLASS64: "64"}[f.Class]
		if want, known := elfMachines[runtime.GOARCH]; known && f.Machine != want {
			return bits, errArchitecture
		}
		return bits, nil
	} else if errors.Is(err, fs.ErrPermission) {
		return "", err
	}
	if f, err := pe.Open(path); err == nil {
		defer f.Close()
		if want, known := peMachines[runtime.GOARCH]; known && f.Machine != want {
			return strconv.Itoa(map[bool]int{true: 32, false: 64}[f.Machine == pe.IMAGE_FILE_MACHINE_I386]), errArchitecture
		}
	}
	return "", nil
}
