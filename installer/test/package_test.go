// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"debug/elf"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// folders of packages, of this version and the next.
func folders(t *testing.T) (now, next string) {
	now, next = os.Getenv("PERSTEN_PACKAGES"), os.Getenv("PERSTEN_PACKAGES_NEXT")
	if now == "" || next == "" {
		t.Skip("not run: make package-test says where the packages are")
	}
	if os.Getuid() != 0 {
		t.Skip("not run: a machine of its own needs root")
	}
	return now, next
}

// TestPackages is the story of one machine, each part after the one before.
func TestPackages(t *testing.T) {
	now, next := folders(t)
	repo, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	modules, err := filepath.EvalSymlinks(filepath.Join(repo, "browserext/node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal(err)
	}
	m := boot(t, base(t, now), now+":/packages", next+":/packages-next", repo+":"+repo, modules+":"+modules, node+":/usr/local/bin/node")
	s := &story{T: t, m: m, repo: repo}
	m.root("for p in alice bob; do useradd --create-home --shell /bin/sh $p; done")
	before := m.root(snapshot)
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"install", s.install}, {"permissions", s.permissions}, {"libraries", s.libraries}, {"log on", s.logon},
		{"browser", s.browser}, {"second user", s.secondUser}, {"server", s.server}, {"upgrade", s.upgrade},
	} {
		t.Run(part.name, part.run)
	}
	t.Run("remove", func(t *testing.T) { s.remove(t, before) })
}

type story struct {
	*testing.T
	m    *machine
	repo string
}

// with makes the machine report to the part of the story that runs.
func (s *story) with(t *testing.T) *machine {
	s.m.t = t
	return s.m
}

func (s *story) install(t *testing.T) {
	s.with(t).root("dpkg --install /packages/persten_*.deb /packages/persten-desktop_*.deb")
}

// permissions compares names, modes and owners of all that the packages brought with a list that people have read.
func (s *story) permissions(t *testing.T) {
	got := s.with(t).root(`dpkg --listfiles persten persten-desktop | grep '^/[^.]' | sort -u | xargs -d '\n' stat --format '%A %U:%G %n'`)
	const list = "permissions.txt"
	if os.Getenv("PERSTEN_UPDATE") != "" {
		if err := os.WriteFile(list, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s, which PERSTEN_UPDATE=1 writes anew:\n%s", list, difference(string(want), got))
	}
	if open := s.m.root(`dpkg --listfiles persten persten-desktop | grep '^/[^.]' | sort -u | xargs -d '\n' -I{} find {} -maxdepth 0 -not -type l -perm /022`); open != "" {
		t.Errorf("others may write to:\n%s", open)
	}
}

// libraries: what the programs link comes from packages that theirs name.
func (s *story) libraries(t *testing.T) {
	m := s.with(t)
	if missing := m.root("ldd /usr/bin/persten /usr/bin/persten-desktop | grep 'not found' || true"); missing != "" {
		t.Error(missing)
	}
	depends := m.root("dpkg-query --show --showformat '${Depends}, ' persten persten-desktop")
	for program, least := range map[string]int{"persten": 1, "persten-desktop": 10} {
		f, err := elf.Open("/proc/" + m.systemd + "/root/usr/bin/" + program)
		if err != nil {
			t.Fatal(err)
		}
		libraries, err := f.ImportedLibraries()
		f.Close()
		if err != nil || len(libraries) < least {
			t.Fatalf("%s links %v, %v", program, libraries, err)
		}
		for _, l := range libraries {
			owner := strings.TrimSpace(m.root(`dpkg --search "*/` + l + `" | cut -d: -f1 | sort -u | head -n 1`))
			if !regexp.MustCompile(`(^|[ ,|])` + regexp.QuoteMeta(owner) + `($|[ ,|])`).MatchString(depends) {
				t.Errorf("%s links %s of %s, which is not in %s", program, l, owner, depends)
			}
		}
	}
}

// logon: a person who logs on has the agent: the socket, the service, its sandbox.
func (s *story) logon(t *testing.T) {
	m := s.with(t)
	for _, person := range []string{"alice", "bob"} {
		m.root("loginctl enable-linger " + person) // stays logged on between commands
	}
	m.must("alice", "sh "+s.repo+"/installer/test/person.sh")
	m.must("alice", "systemctl --user restart persten.service") // with the configuration that has just been written
	var status struct {
		Version string
	}
	out := m.must("alice", "persten status --json")
	if err := json.Unmarshal([]byte(out), &status); err != nil || status.Version == "" {
		t.Fatalf("%v: %s", err, out)
	}
	if sandbox := m.must("alice", "systemctl --user show --property=ProtectSystem,PrivateUsers,MemoryDenyWriteExecute persten.service"); strings.Count(sandbox, "=yes")+strings.Count(sandbox, "=strict") != 3 {
		t.Errorf("the session is not in its sandbox:\n%s", sandbox)
	}
	if own := m.must("alice", `stat --format '%a' "$XDG_RUNTIME_DIR/persten" "$XDG_RUNTIME_DIR/persten/session.sock" .local/state/persten .config/persten .config/persten/config.toml`); own != "700\n600\n700\n700\n600\n" {
		t.Errorf("modes of the session's own folders and files:\n%s", own)
	}
	if certs := m.must("alice", "persten certs"); !strings.Contains(certs, "Демонстрационный Подписант") {
		t.Errorf("no certificate of the token:\n%s", certs)
	}
}

// browser: the machine's Chromium finds the host by the package's manifest, and OpenSSL accepts what the page gets.
func (s *story) browser(t *testing.T) {
	m := s.with(t)
	m.must("alice", "touch work/yes; rm -rf work/out; node "+s.repo+"/installer/test/signing.mjs "+s.repo+"/browserext >work/signature && "+
		"tail -n 1 work/signature | base64 -d >work/signature.p7s && openssl cms -verify -cades -inform DER -in work/signature.p7s -CAfile work/ca.pem -purpose any -out work/out 2>work/openssl; cat work/openssl")
	if out := m.must("alice", "cat work/out"); out != "signed in a browser" {
		t.Errorf("what OpenSSL found inside: %q", out)
	}
	if via := m.must("alice", "persten journal list --limit 1 --json"); !strings.Contains(via, `"native"`) || !strings.Contains(via, "http://127.0.0.1:8080") {
		t.Errorf("the journal says %s", via)
	}
}

// secondUser: nothing of alice's session answers bob, whatever he says he is.
func (s *story) secondUser(t *testing.T) {
	m := s.with(t)
	uid := strings.TrimSpace(m.root("id -u alice"))
	m.must("bob", "systemctl --user stop persten.socket persten.service") // whose session may have had the port
	m.must("alice", "systemctl --user restart persten.service")
	until(t, "alice's port", 20*time.Second, func() bool {
		out, _ := m.try("grep ':5E35 00000000:0000 0A' /proc/net/tcp")
		return strings.Contains(out, " "+uid+" ")
	})
	out := m.must("bob", "node "+s.repo+"/installer/test/refused.mjs /usr/bin/persten /run/user/"+uid+"/persten/session.sock 24117 http://127.0.0.1:8080 1000")
	var ways map[string]struct {
		Refused int
		Other   map[string]int
	}
	if err := json.Unmarshal([]byte(out), &ways); err != nil || len(ways) != 3 {
		t.Fatalf("%v: %s", err, out)
	}
	for way, r := range ways {
		t.Logf("%s: %d of 1000 refused", way, r.Refused)
		if r.Refused != 1000 {
			t.Errorf("%s: %d refused, and %v", way, r.Refused, r.Other)
		}
	}
}

// server: the system's unit signs with a token by rules of policy, and reaches the card readers' socket.
func (s *story) server(t *testing.T) {
	m := s.with(t)
	score := regexp.MustCompile(`exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(m.root("systemd-analyze security --no-pager persten-server.service"))
	if score == nil || score[1] > "2.0" || len(score[1]) != 3 {
		t.Errorf("exposure %v, want at most 2.0", score)
	}
	id := strings.TrimSpace(m.root("sh " + s.repo + "/installer/test/server.sh"))
	const socket = "/run/persten-server/persten/session.sock"
	until(t, "the server's session", 20*time.Second, func() bool {
		_, err := m.try("test -S " + socket)
		return err == nil
	})
	client := "systemd-run --quiet --pipe --wait --collect -p DynamicUser=yes -p User=persten -p StateDirectory=persten-server -p Environment=PERSTEN_SOCKET=" + socket + " "
	const state = "/var/lib/private/persten-server"
	m.root(client + "sh -ec 'cd " + state + "; echo document >in; persten sign cms --cert " + id + " --in in --out in.p7s'")
	m.root("cd " + state + " && openssl cms -verify -cades -binary -inform DER -in in.p7s -content in -CAfile ca.pem -purpose any -out /dev/null 2>&1")
	if out, err := m.try("PERSTEN_SOCKET=" + socket + " persten status"); err == nil {
		t.Errorf("root was answered: %s", out)
	}
	if out, err := m.try("pid=$(systemctl show --property=MainPID --value persten-server.service); nsenter --target $pid --mount test -S /run/pcscd/pcscd.comm"); err != nil {
		t.Errorf("the card readers' socket is not in the unit's sandbox: %s", out)
	}
	m.root("rm -r /etc/systemd/system/persten-server.service.d && systemctl daemon-reload && systemctl restart persten-server.service")
}

// upgrade: what is asked when the new version comes is answered by the one that asked; then the new one runs, as it was set up.
func (s *story) upgrade(t *testing.T) {
	m := s.with(t)
	m.must("alice", "rm -f work/yes \"$XDG_RUNTIME_DIR/persten/asked\"; persten settings set language en >/dev/null 2>&1 || true; printf document >work/document")
	settings := m.must("alice", "cat .config/persten/config.toml; cat .local/state/persten/settings.json 2>/dev/null || true")
	old := m.must("alice", "systemctl --user show --property=MainPID --value persten.service")
	signed := make(chan error, 1)
	go func() {
		_, err := m.as("alice", `id=$(persten certs --json | grep -o '"id": *"[0-9a-f]*"' | head -n 1 | grep -o '[0-9a-f]\{64\}') && persten sign cms --cert "$id" --in work/document --out work/document.p7s`)
		signed <- err
	}()
	until(t, "the question", 30*time.Second, func() bool {
		_, err := m.as("alice", `test -e "$XDG_RUNTIME_DIR/persten/asked"`)
		return err == nil
	})
	m.root("dpkg --install /packages-next/persten_*.deb /packages-next/persten-desktop_*.deb")
	if pid := m.must("alice", "systemctl --user show --property=MainPID --value persten.service"); pid != old {
		t.Errorf("the session that asks was ended: %s, was %s", pid, old)
	}
	time.Sleep(65 * time.Second) // longer than it takes to notice the new version
	m.must("alice", "touch work/yes")
	if err := <-signed; err != nil {
		t.Errorf("the request that was under way: %v", err)
	}
	m.must("alice", "openssl cms -verify -cades -binary -inform DER -in work/document.p7s -content work/document -CAfile work/ca.pem -purpose any -out /dev/null 2>&1")
	version := m.root("dpkg-query --show --showformat '${Version}' persten")
	until(t, "the new version", 90*time.Second, func() bool {
		out, _ := m.as("alice", "persten status --json")
		return strings.Contains(out, `"`+version+`"`)
	})
	if after := m.must("alice", "cat .config/persten/config.toml; cat .local/state/persten/settings.json 2>/dev/null || true"); after != settings {
		t.Errorf("settings were\n%s\nand are\n%s", settings, after)
	}
}

// remove: the machine is as it was, without the agent's processes; the journal is still there.
func (s *story) remove(t *testing.T, before string) {
	m := s.with(t)
	m.root("dpkg --purge persten-desktop persten")
	if left := m.root("pgrep -a persten || true"); left != "" {
		t.Errorf("still running:\n%s", left)
	}
	if listening := m.root("grep -c ':5E35 ' /proc/net/tcp || true"); strings.TrimSpace(listening) != "0" {
		t.Errorf("something still listens on port 24117")
	}
	if d := difference(before, m.root(snapshot)); d != "" {
		t.Errorf("left or lost:\n%s", d)
	}
	m.must("alice", "test -s .local/state/persten/journal.jsonl")
}

// snapshot lists the machine's files but what changes by itself and what people have at home.
const snapshot = `find / -xdev \( -path /packages -o -path /packages-next -o -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /home \
	-o -path /var/log -o -path /var/cache -o -path /var/tmp -o -path /var/lib/dpkg -o -path /var/lib/systemd -o -path /var/lib/apt -o -path /root -o -path /work \) -prune \
	-o -printf '%y %m %u:%g %p %l\n' | sort`

// difference lists the lines that only one of two texts has.
func difference(before, after string) string {
	count := map[string]int{}
	for line := range strings.Lines(before) {
		count[line]--
	}
	for line := range strings.Lines(after) {
		count[line]++
	}
	var all strings.Builder
	for line, n := range count {
		switch {
		case n < 0:
			all.WriteString("- " + line)
		case n > 0:
			all.WriteString("+ " + line)
		}
	}
	return all.String()
}
