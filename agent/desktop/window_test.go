// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"persten/internal/client"
	"persten/internal/token/tokentest"
	"persten/proto"
)

// seat is a person's desktop: a display, a running session with a SoftHSM token of its own, and the main window.
type seat struct {
	*screen
	dir string
	env []string
	win *exec.Cmd

	percent int // how large a pixel is; 0 is 100
}

// agentProgram is persten, beside the program under test, where that looks for it.
func agentProgram(t *testing.T) string {
	t.Helper()
	if out, err := agentBuilt(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return filepath.Join(filepath.Dir(build(t)), "persten")
}

var agentBuilt = sync.OnceValues(func() ([]byte, error) {
	return exec.Command("go", "build", "-o", filepath.Join(filepath.Dir(program), "persten"), "..").CombinedOutput()
})

// newSeat starts a session whose token has one certificate. Its authority is trusted and says that nothing is revoked.
func newSeat(t *testing.T, lang string) *seat {
	t.Helper()
	return newSeatAt(newScreen(t), lang)
}

func newSeatAt(at *screen, lang string) *seat {
	t := at.t
	t.Helper()
	s := &seat{screen: at}
	dir, err := os.MkdirTemp("", "pw") // short: it holds a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s.dir = dir
	for _, name := range []string{"home", "home/Downloads", "run", "state", "config", "trust", "hsm"} {
		if err := os.Mkdir(s.path(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.env = []string{"HOME=" + s.path("home"), "XDG_RUNTIME_DIR=" + s.path("run"), "XDG_STATE_HOME=" + s.path("state"),
		"XDG_CONFIG_HOME=" + s.path("config"), "SOFTHSM2_CONF=" + s.path("hsm/conf"), "PERSTEN_CONFIG=" + s.path("config.toml"),
		"PERSTEN_LANG=" + lang, "DBUS_SESSION_BUS_ADDRESS=", "PERSTEN_DESKTOP="}
	s.write("config.toml", fmt.Sprintf("[trust]\nroots = [%q]\ncrls = [%q]\n[listen]\nwebsocket = \"127.0.0.1:0\"\n", s.path("trust"), s.path("trust")))
	s.token()
	session := s.at(exec.Command(agentProgram(t), "session"))
	session.Stderr = os.Stderr
	s.start(session)
	s.eventually("a session", func() bool { _, err := s.agent("status"); return err == nil })
	return s
}

func (s *seat) path(name string) string { return filepath.Join(s.dir, name) }

func (s *seat) write(name, content string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// at puts a program on this desktop.
func (s *seat) at(cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = append(s.command(cmd.Path).Env, s.env...)
	cmd.Dir = s.dir
	return cmd
}

// run runs a program to its end.
func (s *seat) run(name string, args ...string) string {
	s.t.Helper()
	out, err := s.at(exec.Command(name, args...)).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// agent runs a command of persten.
func (s *seat) agent(args ...string) (string, error) {
	out, err := s.at(exec.Command(agentProgram(s.t), args...)).Output()
	return string(out), err
}

// token makes an authority with OpenSSL, its list of revoked certificates, and a token with a key it vouches for.
func (s *seat) token() {
	s.t.Helper()
	module := tokentest.SoftHSMModule()
	if module == "" {
		s.t.Skip("SoftHSM is not installed: the real token was not used")
	}
	s.write("hsm/conf", "directories.tokendir = "+s.path("hsm")+"\nobjectstore.backend = file\nlog.level = ERROR\n")
	s.write("ca.cnf", "[ca]\ndefault_ca=x\n[x]\ndatabase=index\ncrlnumber=number\ndefault_md=sha256\ndefault_crl_days=30\n")
	s.write("index", "")
	s.write("number", "01\n")
	s.write("leaf.cnf", "keyUsage=critical,digitalSignature,nonRepudiation\ncrlDistributionPoints=URI:http://127.0.0.1:9/list.crl\n")
	ec := []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"}
	s.run("openssl", append([]string{"req", "-x509", "-days", "300", "-keyout", "ca.key", "-out", "trust/ca.pem", "-subj", "/C=RU/CN=Пример: удостоверяющий центр",
		"-utf8", "-addext", "keyUsage=critical,keyCertSign,cRLSign"}, ec...)...)
	s.run("openssl", append([]string{"req", "-new", "-keyout", "key.pem", "-out", "request.pem", "-utf8",
		"-subj", "/C=RU/O=Демонстрационная организация/CN=Демонстрационный Подписант"}, ec...)...)
	s.run("openssl", "x509", "-req", "-in", "request.pem", "-CA", "trust/ca.pem", "-CAkey", "ca.key", "-days", "200", "-extfile", "leaf.cnf", "-out", "leaf.der", "-outform", "DER")
	s.run("openssl", "ca", "-config", "ca.cnf", "-gencrl", "-keyfile", "ca.key", "-cert", "trust/ca.pem", "-out", "list.pem")
	s.run("openssl", "crl", "-in", "list.pem", "-outform", "DER", "-out", "trust/ca.crl")
	s.run("openssl", "pkcs8", "-topk8", "-nocrypt", "-in", "key.pem", "-out", "key8.pem")
	s.run("softhsm2-util", "--init-token", "--free", "--label", "Rutoken ECP", "--pin", tokentest.SoftHSMPIN, "--so-pin", "00000000")
	s.run("softhsm2-util", "--import", "key8.pem", "--token", "Rutoken ECP", "--label", "key", "--id", "a1", "--pin", tokentest.SoftHSMPIN)
	s.run("pkcs11-tool", "--module", module, "--token-label", "Rutoken ECP", "--login", "--pin", tokentest.SoftHSMPIN, "--write-object", "leaf.der", "--type", "cert", "--label", "key", "--id", "a1")
}

// open shows the main window at a page.
func (s *seat) open(page string, env ...string) {
	s.t.Helper()
	s.win = s.at(exec.Command(s.program, "window", page))
	s.win.Env = append(s.win.Env, env...)
	s.win.Stderr = os.Stderr
	s.start(s.win)
	s.eventually("the main window", func() bool { return s.main() != "" })
	s.listening()
}

// main is the number of the main window, when it is on screen.
func (s *seat) main() string {
	out, err := s.command("xdotool", "search", "--onlyvisible", "--name", "^Persten$").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// press clicks a place of the main window.
func (s *seat) press(at [2]int) {
	s.t.Helper()
	large := cmp.Or(s.percent, 100)
	s.xdotool("mousemove", "--window", s.main(), fmt.Sprint(at[0]*large/100), fmt.Sprint(at[1]*large/100), "click", "1")
	time.Sleep(400 * time.Millisecond)
}

func (s *seat) eventually(what string, is func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if is() {
			return
		}
	}
	s.shot("failed")
	s.t.Fatalf("no %s", what)
}

// there waits for a file.
func (s *seat) there(name string) string {
	s.t.Helper()
	s.eventually(name, func() bool { fi, err := os.Stat(s.path(name)); return err == nil && fi.Size() > 0 })
	return s.path(name)
}

// approve answers the prompt with the token's PIN and takes its outcome away.
func (s *seat) approve() {
	s.t.Helper()
	prompt := func() bool { return s.windows() == 2 }
	s.eventually("prompt", prompt)
	s.listening()
	before := s.signatures()
	made := func() bool { return s.signatures() > before }
	for tries := 0; tries < 5 && !made(); tries++ { // a window that was still deaf asks for the PIN anew
		s.typed(tokentest.SoftHSMPIN)
		s.keys("Return")
		for n := 0; n < 20 && !made(); n++ {
			time.Sleep(200 * time.Millisecond)
		}
	}
	s.eventually("signature in the journal", made)
	s.listening()
	s.keys("Return")
	s.eventually("prompt gone", func() bool { return !prompt() })
	s.listening()
}

// records are the journal's.
func (s *seat) records() (list []proto.JournalRecord) {
	s.t.Helper()
	out, err := s.agent("journal", "list", "--json")
	if err != nil {
		s.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	return list
}

// signatures counts the good ends in the journal.
func (s *seat) signatures() (n int) {
	for _, r := range s.records() {
		if r.Type == "end" && r.Result == "ok" {
			n++
		}
	}
	return n
}

// Places of the main window of 1040 by 720.
var (
	verifyTab = [2]int{403, 93}
	firstDeny = [2]int{905, 108}
	confirm   = [2]int{870, 180}

	startButton = [2]int{320, 155}
	checkButton = [2]int{956, 151}
	addFile     = [2]int{780, 42}
	testTab     = [2]int{549, 93}
	bundle      = [2]int{700, 50}
)

// TestMainWindow signs a file by keys alone and has OpenSSL verify it, verifies it in the window, finds it in the journal,
// refuses a site and has the doctor look.
func TestMainWindow(t *testing.T) {
	s := newSeat(t, "ru")
	const document = "Договор № 17-а о поставке бумаги\n"
	s.write("home/Downloads/contract.txt", document)
	s.open("sign")
	s.shot("window-sign-empty")
	s.keys("ctrl+o")
	time.Sleep(500 * time.Millisecond)
	s.typed("contract")
	s.keys("Return")
	time.Sleep(500 * time.Millisecond)
	s.keys("ctrl+Return")
	s.approve()
	signature := s.there("home/Downloads/contract.txt.sig")
	s.shot("window-signed")
	s.run("openssl", "cms", "-verify", "-inform", "DER", "-in", signature, "-content", s.path("home/Downloads/contract.txt"), "-CAfile", s.path("trust/ca.pem"),
		"-purpose", "any", "-binary", "-out", s.path("out"))
	if got, err := os.ReadFile(s.path("home/Downloads/contract.txt")); err != nil || string(got) != document {
		t.Errorf("the document is %q now, %v", got, err)
	}

	s.press(verifyTab)
	s.keys("ctrl+o")
	time.Sleep(500 * time.Millisecond)
	s.typed("contract.txt.sig")
	s.keys("Return")
	time.Sleep(2 * time.Second)
	s.shot("window-verified")
	s.keys("ctrl+s")
	words := s.run("pdftotext", s.there("home/Downloads/contract.txt.sig.pdf"), "-")
	for _, want := range []string{"Подпись действительна", "Демонстрационный Подписант", "не изменено"} {
		if !strings.Contains(words, want) {
			t.Errorf("the report does not say %q:\n%s", want, words)
		}
	}

	s.keys("ctrl+3")
	time.Sleep(time.Second)
	s.shot("window-journal")
	s.keys("ctrl+s")
	journal, err := os.ReadFile(s.there("home/Downloads/persten-journal-" + time.Now().Format(time.DateOnly) + ".csv"))
	if err != nil || !strings.Contains(string(journal), "contract.txt") {
		t.Errorf("the saved journal: %v\n%s", err, journal)
	}

	if out, err := s.agent("origins", "allow", "https://lk.portal.example"); err != nil {
		t.Fatal(err, out)
	}
	s.keys("ctrl+4")
	time.Sleep(time.Second)
	s.press(firstDeny)
	s.shot("window-site-asked")
	s.press(confirm)
	s.eventually("refused site", func() bool {
		out, err := s.agent("origins", "list", "--json")
		return err == nil && strings.Contains(out, `"allowed": false`)
	})
	s.shot("window-site-refused")

	s.keys("ctrl+2")
	s.press(testTab)
	s.keys("ctrl+Return")
	s.approve()
	s.shot("window-test-signature")
	if list := s.records(); !slices.ContainsFunc(list, func(r proto.JournalRecord) bool { return r.Kind == "test" && r.Result == "ok" }) {
		t.Errorf("no test signature in %+v", list)
	}

	s.keys("ctrl+6")
	time.Sleep(3 * time.Second)
	s.shot("window-doctor")
	s.keys("ctrl+f")
	s.typed("er 10002")
	s.keys("Return")
	time.Sleep(time.Second)
	s.shot("window-doctor-explains")
	s.press(bundle)
	time.Sleep(5 * time.Second)
	s.shot("window-doctor-bundle")
	s.keys("ctrl+s")
	s.there("home/Downloads/persten-support-" + time.Now().Format(time.DateOnly) + ".zip")
	letter, err := os.ReadFile(s.there("home/Downloads/persten-support-" + time.Now().Format(time.DateOnly) + ".txt"))
	if err != nil || !strings.Contains(string(letter), "10002") {
		t.Errorf("the letter: %v\n%s", err, letter)
	}
}

// TestMainWindowOnce: a second start raises the window that is there, at the page asked for, and ends.
func TestMainWindowOnce(t *testing.T) {
	s := newSeat(t, "en")
	s.open("tokens")
	first := s.main()
	s.run("xdotool", "windowminimize", first)
	s.run(s.program, "window", "journal")
	s.eventually("raised window", func() bool { return s.main() == first })
	s.listening()
	s.shot("window-raised")
	if n := s.windows(); n != 1 {
		t.Errorf("%d windows", n)
	}
}

// TestMainWindowOutlivesTheSession: the window says that the session is gone, starts another on a click, and works on.
func TestMainWindowOutlivesTheSession(t *testing.T) {
	s := newSeat(t, "ru")
	s.open("tokens")
	s.stop()
	s.eventually("end of the session", func() bool { _, err := s.agent("status"); return err != nil })
	time.Sleep(2 * time.Second)
	s.shot("window-absent")
	s.press(startButton)
	t.Cleanup(s.stop)
	s.eventually("another session", func() bool { _, err := s.agent("status"); return err == nil })
	time.Sleep(2 * time.Second)
	s.shot("window-again")
	s.keys("ctrl+2")
	s.write("home/Downloads/again.txt", "again")
	s.keys("ctrl+o")
	time.Sleep(500 * time.Millisecond)
	s.typed("again")
	s.keys("Return")
	time.Sleep(500 * time.Millisecond)
	s.keys("ctrl+Return")
	s.eventually("prompt", func() bool { return s.windows() == 2 })
	s.listening()
	s.keys("Escape") // the person says no: no file, and the window says why
	s.listening()
	s.keys("Return")
	s.eventually("prompt gone", func() bool { return s.windows() == 1 })
	s.listening()
	s.shot("window-refused")
	if _, err := os.Stat(s.path("home/Downloads/again.txt.sig")); err == nil {
		t.Error("a refused signature was written")
	}
}

// TestDrop: a file is dragged from a GTK program onto the window and signed.
func TestDrop(t *testing.T) {
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import gi; gi.require_version('Gtk', '3.0')").Run(); err != nil {
		t.Skip("python3-gi is not installed: nothing was dragged")
	}
	source, err := filepath.Abs("testdata/dragsource.py")
	if err != nil {
		t.Fatal(err)
	}
	s := newSeat(t, "en")
	s.write("home/Счёт № 5.txt", "120 000")
	s.open("tokens")
	drag := s.at(exec.Command(python, source, s.path("home/Счёт № 5.txt")))
	s.start(drag)
	s.eventually("source", func() bool { return s.command("xdotool", "search", "--onlyvisible", "--name", "^source$").Run() == nil })
	s.xdotool("mousemove", "60", "60")
	s.xdotool("mousedown", "1")
	for i := range 10 {
		s.xdotool("mousemove", fmt.Sprint(60+60*i), fmt.Sprint(60+50*i))
		time.Sleep(100 * time.Millisecond)
	}
	s.xdotool("mouseup", "1")
	time.Sleep(time.Second)
	s.shot("window-dropped")
	s.xdotool("windowfocus", s.main())
	s.keys("ctrl+Return")
	s.approve()
	s.there("home/Счёт № 5.txt.sig")
}

// TestKeyFile: a .pfx becomes a token, with its password typed into a prompt.
func TestKeyFile(t *testing.T) {
	s := newSeat(t, "ru")
	const password = "pfx-4321"
	s.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "12", "-keyout", "own.pem", "-out", "own.crt", "-utf8",
		"-subj", "/C=RU/CN=Демонстрационный Бухгалтер", "-addext", "keyUsage=critical,digitalSignature,nonRepudiation")
	s.run("openssl", "pkcs12", "-export", "-inkey", "own.pem", "-in", "own.crt", "-passout", "pass:"+password, "-out", "home/Downloads/podpis.pfx")
	s.open("tokens")
	s.press(addFile)
	s.typed("podpis")
	s.keys("Return")
	s.eventually("prompt", func() bool { return s.windows() == 2 })
	s.listening()
	s.shot("window-keyfile-password")
	s.typed(password)
	s.keys("Return")
	s.listening()
	s.shot("window-keyfile-after")
	s.eventually("key file", func() bool {
		out, err := s.agent("keyfile", "list", "--json")
		return err == nil && strings.Contains(out, "podpis.pfx")
	})
	s.keys("Return") // the prompt's outcome
	s.eventually("prompt gone", func() bool { return s.windows() == 1 })
	s.listening()
	s.shot("window-keyfile-added")
	out, err := s.agent("certs", "--json")
	if err != nil || !strings.Contains(out, "Демонстрационный Бухгалтер") || !strings.Contains(out, "Демонстрационный Подписант") {
		t.Errorf("certificates: %v %s", err, out)
	}
}

// stop ends the session as the tray's menu does.
func (s *seat) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := client.Dial(ctx, s.path("run/persten/session.sock"), proto.AgentHelloParams{}, client.ListenOnly)
	if err != nil {
		s.t.Errorf("no session to stop: %v", err)
		return
	}
	defer c.Close()
	if _, err := client.Ask[proto.AgentStopResult](ctx, c, proto.MethodAgentStop, proto.AgentStopParams{}); err != nil {
		s.t.Error(err)
	}
}

// TestDoctorFromAFailedRequest: where a request failed, its window opens the doctor.
func TestDoctorFromAFailedRequest(t *testing.T) {
	s := newSeat(t, "ru")
	s.write("letter.txt", "Письмо\n")
	signing := s.at(exec.Command(agentProgram(t), "sign", "cms", "--cert", s.certificate(), "--in", "letter.txt", "--out", "letter.p7s", "--profile", "t", "--tsa", nobodyThere(t)))
	s.start(signing)
	s.eventually("prompt", func() bool { return s.windows() == 1 })
	s.listening()
	s.typed(tokentest.SoftHSMPIN)
	s.keys("Return")
	s.eventually("the end of the request", func() bool { return s.ended("network_unreachable") })
	s.listening()
	s.shot("failed-with-doctor")
	s.keys("shift+Tab", "space")
	s.eventually("the main window", func() bool { return s.main() != "" })
	s.listening()
	s.shot("doctor-from-failed")
}

// certificate is the id of the token's certificate.
func (s *seat) certificate() string {
	s.t.Helper()
	out, err := s.agent("certs", "--json")
	var list proto.CertificatesListResult
	if err == nil {
		err = json.Unmarshal([]byte(out), &list)
	}
	if err != nil || len(list.Certificates) == 0 {
		s.t.Fatalf("certificates: %v %s", err, out)
	}
	return list.Certificates[0].ID
}

// ended tells whether the journal has a request that ended with a code.
func (s *seat) ended(code string) bool {
	return slices.ContainsFunc(s.records(), func(r proto.JournalRecord) bool { return r.Type == "end" && r.Result == code })
}

// nobodyThere is an address where nothing listens.
func nobodyThere(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}
