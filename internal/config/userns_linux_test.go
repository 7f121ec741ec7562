// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"persten/proto"
)

// init makes a process that TestPolicyInUserNamespace starts load its policy.
func init() {
	policy := os.Getenv("PERSTEN_TEST_POLICY")
	if policy == "" {
		return
	}
	c, err := load(os.DevNull, policy, policyOwner)
	if err != nil {
		os.Stdout.WriteString(string(proto.AsError(err).Code))
		os.Exit(0)
	}
	os.Stdout.WriteString(c.UI.Language)
	os.Exit(0)
}

// TestPolicyInUserNamespace: root's policy counts where root has no number, as in a sandboxed user unit, and what the user
// could have written ends the agent.
func TestPolicyInUserNamespace(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not root: a user namespace without root was not tried (4 cases)")
	}
	const someone, other = 12345, 12346
	for name, c := range map[string]struct {
		owner  int
		mode   os.FileMode
		counts bool
	}{
		"root's":                   {0, 0o644, true},
		"root's, others may write": {0, 0o646, false},
		"the user's own":           {someone, 0o644, false},
		"group may write":          {other, 0o664, false},
	} {
		dir, err := os.MkdirTemp("", "persten")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		policy := filepath.Join(dir, "policy.toml")
		writeFile(t, policy, "[ui]\nlanguage = \"en\"\n", c.mode)
		for _, err := range []error{os.Chmod(policy, c.mode), os.Chmod(dir, 0o755), os.Chown(policy, c.owner, c.owner)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		out, err := inNamespace(t, policy, someone)
		if err != nil {
			t.Skipf("no user namespaces here (%v): 4 cases not run", err)
		}
		want := string(proto.CodePolicyUnsafe)
		if c.counts {
			want = "en"
		}
		if out != want {
			t.Errorf("%s: %q", name, out)
		}
	}
}

// inNamespace loads a policy as a user in whose namespace nobody else has a number.
func inNamespace(t *testing.T, policy string, user int) (string, error) {
	t.Helper()
	program := filepath.Join(filepath.Dir(policy), "test")
	me, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, me, 0o755); err != nil {
		t.Fatal(err)
	}
	one := []syscall.SysProcIDMap{{ContainerID: 1000, HostID: user, Size: 1}}
	cmd := exec.Command(program)
	cmd.Env = []string{"PERSTEN_TEST_POLICY=" + policy, "HOME=/nonexistent", "XDG_CONFIG_HOME=/nonexistent"}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER, UidMappings: one, GidMappings: one, Credential: &syscall.Credential{Uid: 1000, Gid: 1000, NoSetGroups: true},
	}
	out, err := cmd.Output()
	return string(out), err
}
