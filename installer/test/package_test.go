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
	t.Run("units without a package", s.twoUsers)
	before := m.root(snapshot)
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"install", s.install}, {"permissions", s.permissions}, {"libraries", s.libraries}, {"log on", s.logon},
		{"browser", s.browser}, {"shared port", s.sharedPort}, {"second user", s.secondUser}, {"exposure", s.exposure}, {"server", s.server},
		{"upgrade", s.upgrade},
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

// twoUsers has `persten service install` put the units in place, and follows the shared port through its life.
func (s *story) twoUsers(t *testing.T) {
	m := s.with(t)
	m.root("dpkg-deb --fsys-tarfile /packages/persten_*.deb | tar --extract --to-stdout ./usr/bin/persten >/usr/local/bin/persten; chmod 755 /usr/local/bin/persten")
	out, err := m.try(s.repo + "/installer/test/two-users.sh /usr/local/bin/persten /packages/visitor")
	t.Log(out)
	if err != nil || !strings.Contains(out, "\n0 failures\n") {
		t.Errorf("two-users.sh: %v", err)
	}
	m.root("rm /usr/local/bin/persten")
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
	m.must("bob", `umask 077; mkdir -p .config/persten && { printf '[origins]\nallow = ["http://127.0.0.1:8080"'; for i in $(seq 0 11); do printf ', "https://site-%d.example"' "$i"; done; echo ']'; } >.config/persten/config.toml`)
	for _, person := range []string{"alice", "bob"} {
		m.must(person, "systemctl --user restart persten.service") // with the configuration that has just been written
	}
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

// browser: the machine's Chromium installs the extension by policy, of the package's template, and finds the host by the package's
// manifest; OpenSSL accepts what the page gets.
func (s *story) browser(t *testing.T) {
	m := s.with(t)
	const policy = "/etc/chromium/policies/managed/persten.json"
	m.root("mkdir -p /etc/chromium/policies/managed && node " + s.repo + "/installer/test/policy.mjs /usr/share/persten/policies/chromium.json /packages http://127.0.0.1:8081 >" + policy)
	defer m.root("rm " + policy + "; rmdir /etc/chromium/policies/managed /etc/chromium/policies")
	m.must("alice", "touch work/yes; rm -rf work/out; node "+s.repo+"/installer/test/signing.mjs "+s.repo+"/browserext /packages >work/signature && "+
		"tail -n 1 work/signature | base64 -d >work/signature.p7s && openssl cms -verify -cades -inform DER -in work/signature.p7s -CAfile work/ca.pem -purpose any -out work/out 2>work/openssl; cat work/openssl")
	if out := m.must("alice", "cat work/out"); out != "signed in a browser" {
		t.Errorf("what OpenSSL found inside: %q", out)
	}
	if via := m.must("alice", "persten journal list --limit 1 --json"); !strings.Contains(via, `"native"`) || !strings.Contains(via, "http://127.0.0.1:8080") {
		t.Errorf("the journal says %s", via)
	}
}

// sharedPort: both people's browsers at once, 1,000 requests over the WebSocket and 1,000 over native messaging each; every answer is
// of the person's own agent.
func (s *story) sharedPort(t *testing.T) {
	m := s.with(t)
	m.root("systemctl is-active persten-port.socket")
	const visit = "PERSTEN_PROGRAM=/usr/bin/persten timeout 200 /packages/visitor 1000"
	theirs := make(chan string, 1)
	go func() {
		out, _ := m.as("bob", visit) // what went wrong is in the answers
		theirs <- out
	}()
	out, _ := m.as("alice", visit)
	agents := map[string]string{}
	for person, said := range map[string]string{"alice": out, "bob": <-theirs} {
		var answers map[string]int
		if err := json.Unmarshal([]byte(said), &answers); err != nil || len(answers) != 2 {
			t.Fatalf("%s: %v: %s", person, err, said)
		}
		for from, n := range answers {
			way, agent, _ := strings.Cut(from, " ")
			agents[agent] += person + " over " + way + " "
			if n != 1000 {
				t.Errorf("%s over %s: %d of 1000 answers, %q", person, way, n, agent)
			}
		}
	}
	if len(agents) != 2 {
		t.Errorf("not each person one agent: %v", agents)
	}
	t.Logf("%v", agents)
}

// secondUser: nothing of alice's session answers bob, whatever he says he is, with the service that shares the port and without.
func (s *story) secondUser(t *testing.T) {
	m := s.with(t)
	m.must("bob", "systemctl --user stop persten.socket persten.service") // his own would answer
	s.refused(t, "with the service")
	m.root("systemctl stop persten-port.socket persten-port.service")
	m.must("alice", "systemctl --user restart persten.service")
	until(t, "alice's port", 20*time.Second, func() bool {
		out, _ := m.try("grep ':5E35 00000000:0000 0A' /proc/net/tcp")
		return strings.Contains(out, " "+s.uid("alice")+" ")
	})
	s.refused(t, "without it")
	m.must("alice", "systemctl --user stop persten.service") // whose port it is
	m.root("systemctl start persten-port.socket")
	m.must("alice", "systemctl --user start persten.service")
}

func (s *story) uid(person string) string { return strings.TrimSpace(s.m.root("id -u " + person)) }

// refused has bob try alice's session 1,000 times on each way in.
func (s *story) refused(t *testing.T, when string) {
	out := s.m.must("bob", `id=$(grep -o 'chrome-extension://[a-p]*/' /etc/chromium/native-messaging-hosts/persten.agent.json); node `+s.repo+
		"/installer/test/refused.mjs /usr/bin/persten /run/user/"+s.uid("alice")+`/persten/session.sock 24117 http://127.0.0.1:8080 1000 "$id"`)
	var ways map[string]struct {
		Refused int
		Other   map[string]int
	}
	if err := json.Unmarshal([]byte(out), &ways); err != nil || len(ways) != 3 {
		t.Fatalf("%v: %s", err, out)
	}
	for way, r := range ways {
		t.Logf("%s, %s: %d of 1000 refused", when, way, r.Refused)
		if r.Refused != 1000 {
			t.Errorf("%s, %s: %d refused, and %v", when, way, r.Refused, r.Other)
		}
	}
}

// exposure of the units to systemd's own judgement: 0 is shut, 10 is open.
func (s *story) exposure(t *testing.T) {
	for _, unit := range []string{"system/persten-server.service", "system/persten-port.service"} {
		out := s.with(t).root("systemd-analyze security --offline=true --no-pager /usr/lib/systemd/" + unit)
		score := regexp.MustCompile(`exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(out)
		if score == nil || len(score[1]) != 3 || score[1] > "2.0" {
			t.Errorf("%s: %v, want at most 2.0", unit, score)
			continue
		}
		t.Logf("%s: exposure %s", unit, score[1])
	}
}

// server: the system's unit signs with a token by rules of policy, and reaches the card readers' socket.
func (s *story) server(t *testing.T) {
	m := s.with(t)
	id := strings.TrimSpace(m.root("sh " + s.repo + "/installer/test/server.sh"))
	const socket = "/run/persten-server/persten/session.sock"
	ready := func() {
		until(t, "the server's session", 20*time.Second, func() bool {
			_, err := m.try("test -S " + socket)
			return err == nil
		})
	}
	ready()
	client := "systemd-run --quiet --pipe --wait --collect -p DynamicUser=yes -p User=persten -p StateDirectory=persten-server -p Environment=PERSTEN_SOCKET=" + socket + " "
	const state = "/var/lib/private/persten-server"
	m.root(client + "sh -ec 'cd " + state + "; echo document >in; persten sign cms --cert " + id + " --in in --out in.p7s'")
	m.root("cd " + state + " && openssl cms -verify -cades -binary -inform DER -in in.p7s -content in -CAfile ca.pem -purpose any -out /dev/null 2>&1")
	if out, err := m.try("PERSTEN_SOCKET=" + socket + " persten status"); err == nil {
		t.Errorf("root was answered: %s", out)
	}
	// The socket's service was stopped before: OpenSC in the unit's sandbox has reached it.
	if out, err := m.try("systemctl is-active pcscd.service"); err != nil {
		t.Errorf("the card readers' service was not reached: %s", out)
	}
	m.root("printf '[Service]\\nLimitMEMLOCK=0\\n' >/etc/systemd/system/persten-server.service.d/memory.conf; systemctl daemon-reload; systemctl restart persten-server.service")
	ready()
	if out, err := m.try(client + "sh -ec 'cd " + state + "; persten sign cms --json --cert " + id + " --in in --out none.p7s'"); err == nil || !strings.Contains(out, `"memory_lock"`) {
		t.Errorf("where no memory may be locked: %v, %s", err, out)
	}
	m.root("rm -r /etc/systemd/system/persten-server.service.d && systemctl daemon-reload && systemctl restart persten-server.service")
}

// upgrade: what is asked when the new version comes is answered by the one that asked; then the new one runs, as it was set up.
func (s *story) upgrade(t *testing.T) {
	m := s.with(t)
	m.must("alice", `rm -f work/yes "$XDG_RUNTIME_DIR/persten/asked"; printf document >work/document`)
	m.must("alice", "persten settings --language en --theme dark && persten origins allow https://kept.example && persten origins deny https://refused.example")
	settings := m.must("alice", kept)
	for _, want := range []string{`"en"`, `"dark"`, "https://kept.example", "https://refused.example"} {
		if !strings.Contains(settings, want) {
			t.Errorf("no %s in the settings before the upgrade:\n%s", want, settings)
		}
	}
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
	if after := m.must("alice", kept); after != settings {
		t.Errorf("settings were\n%s\nand are\n%s", settings, after)
	}
}

// kept prints what a person has set, as the session that runs says it.
const kept = "persten settings --json && persten origins list --json"

// remove: the machine is as it was, without the agent's processes, also where the program's own commands wrote what the package
// has; the journal is still there.
func (s *story) remove(t *testing.T, before string) {
	m := s.with(t)
	m.root("persten service install --system")
	m.must("bob", "mkdir -p .config/chromium && persten service install && persten browser install")
	if keys := m.root(madeForItself); !strings.Contains(keys, "/home/alice/.local/state/persten/agent.key\n") {
		t.Errorf("alice has no key to lose:\n%s", keys)
	}
	homes := m.root(inHomes)
	for _, want := range []string{"/home/bob/.config/systemd/user/persten.service", "/home/bob/.config/chromium/NativeMessagingHosts/persten.agent.json"} {
		if !strings.Contains(homes, want+"\n") {
			t.Errorf("no %s was written:\n%s", want, homes)
		}
	}
	m.root("dpkg --purge persten-desktop persten")
	if left := m.root("pgrep -a persten || true"); left != "" {
		t.Errorf("still running:\n%s", left)
	}
	if run := m.root("find /run/persten /run/persten-server /run/systemd/system -name '*persten*' 2>/dev/null || true"); run != "" {
		t.Errorf("left in /run:\n%s", run)
	}
	if listening := m.root("grep -c ':5E35 00000000:0000 0A' /proc/net/tcp || true"); strings.TrimSpace(listening) != "0" {
		t.Errorf("something still listens on port 24117")
	}
	if left := m.root(inHomes + "; " + madeForItself); left != "" {
		t.Errorf("left in homes:\n%s", left)
	}
	if d := difference(before, m.root(snapshot)); d != "" {
		t.Errorf("left or lost:\n%s", d)
	}
	m.must("alice", "test -s .local/state/persten/journal.jsonl")
}

// madeForItself lists what the agent keeps beside people's settings and journals.
const madeForItself = `find /home -path '*/.local/state/persten/*' \( -name 'agent.key*' -o -name spool -o -name compat \)`

// inHomes lists what is of Persten in people's homes, but its folders of settings and of state.
const inHomes = `find /home -name '*persten*' -not -path '*/.local/state/persten*' -not -path '*/.config/persten*'`

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
