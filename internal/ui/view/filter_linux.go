// SPDX-License-Identifier: GPL-3.0-or-later

package view

import (
	"os"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// forbidden are the system calls a viewing process has no use for once it runs: files by name, network, other processes and
// programs, and what has often been a way into the kernel.
var forbidden = append([]uint32{
	unix.SYS_OPENAT, unix.SYS_OPENAT2, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_MEMFD_CREATE, unix.SYS_MEMFD_SECRET,
	unix.SYS_UNLINKAT, unix.SYS_RENAMEAT2, unix.SYS_LINKAT, unix.SYS_SYMLINKAT, unix.SYS_MKDIRAT, unix.SYS_MKNODAT,
	unix.SYS_FCHMOD, unix.SYS_FCHMODAT, unix.SYS_FCHMODAT2, unix.SYS_FCHOWN, unix.SYS_FCHOWNAT, unix.SYS_FTRUNCATE, unix.SYS_TRUNCATE, unix.SYS_FALLOCATE, unix.SYS_UTIMENSAT,
	unix.SYS_SETXATTR, unix.SYS_LSETXATTR, unix.SYS_FSETXATTR, unix.SYS_REMOVEXATTR, unix.SYS_LREMOVEXATTR, unix.SYS_FREMOVEXATTR,
	unix.SYS_CHDIR, unix.SYS_FCHDIR, unix.SYS_CHROOT, unix.SYS_PIVOT_ROOT, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_FSOPEN, unix.SYS_FSMOUNT,
	unix.SYS_FSPICK, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE, unix.SYS_MOUNT_SETATTR, unix.SYS_FANOTIFY_INIT, unix.SYS_INOTIFY_INIT1,
	unix.SYS_SOCKET, unix.SYS_SOCKETPAIR, unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_ACCEPT, unix.SYS_ACCEPT4,
	unix.SYS_SENDTO, unix.SYS_SENDMSG, unix.SYS_SENDMMSG, unix.SYS_RECVFROM, unix.SYS_RECVMSG, unix.SYS_RECVMMSG,
	unix.SYS_EXECVE, unix.SYS_EXECVEAT, unix.SYS_KILL, unix.SYS_TKILL, unix.SYS_RT_SIGQUEUEINFO, unix.SYS_RT_TGSIGQUEUEINFO, unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_GETFD, unix.SYS_PIDFD_SEND_SIGNAL,
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE, unix.SYS_KCMP,
	unix.SYS_SHMGET, unix.SYS_SHMAT, unix.SYS_MSGGET, unix.SYS_SEMGET, unix.SYS_MQ_OPEN,
	unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_SETUID, unix.SYS_SETGID, unix.SYS_SETRESUID, unix.SYS_SETRESGID, unix.SYS_CAPSET,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_IO_URING_SETUP, unix.SYS_IO_SETUP, unix.SYS_USERFAULTFD, unix.SYS_PERSONALITY,
	unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_REBOOT,
	unix.SYS_SWAPON, unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_SYSLOG, unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME,
}, older...)

// newest is the last system call of the table this list was made from; later ones are answered as if the kernel had none.
const newest = 462 // mseal

// helping are the calls without which no other program can be started and read what it is made of. Files can then be opened,
// but only to be read. Signals go to what was started here, by the descriptor that came with it.
var helping = []uint32{unix.SYS_OPENAT, unix.SYS_EXECVE, unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_SEND_SIGNAL}

// filter forbids the calls, for every thread there is and will be. helped lets other programs be started. Linux on other processors than the two known here has none.
func filter(helped bool) error {
	if architecture == 0 {
		return unix.ENOSYS
	}
	program := filterProgram(helped)
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(program)
	if e != 0 {
		return e
	}
	return nil
}

// Where the kernel puts what a filter looks at.
const (
	atNumber       = 0
	atArchitecture = 4
	atFirst        = 16 // the low half of the first argument
)

// filterProgram is the filter. A new thread is let through, a new process is not; clone3, whose flags a filter cannot see, is
// answered as unknown, upon which libraries fall back to clone.
func filterProgram(helped bool) []unix.SockFilter {
	const (
		load = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		give = unix.BPF_RET | unix.BPF_K
		jump = unix.BPF_JMP | unix.BPF_K
	)
	refuse := unix.SockFilter{Code: give, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)}
	unknown := unix.SockFilter{Code: give, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)}
	p := []unix.SockFilter{
		{Code: load, K: atArchitecture},
		{Code: jump | unix.BPF_JEQ, K: architecture, Jt: 1},
		{Code: give, K: unix.SECCOMP_RET_KILL_PROCESS},
		{Code: load, K: atNumber},
		{Code: jump | unix.BPF_JGT, K: newest, Jf: 1}, unknown,
		{Code: jump | unix.BPF_JEQ, K: unix.SYS_CLONE3, Jf: 1}, unknown,
	}
	for _, n := range forbidden {
		if helped && (slices.Contains(helping, n) || slices.Contains(forking, n)) {
			continue
		}
		p = append(p, unix.SockFilter{Code: jump | unix.BPF_JEQ, K: n, Jf: 1}, refuse)
	}
	only := func(call, first uint32) { // a call whose first argument is a process, which must be this one
		p = append(p, unix.SockFilter{Code: jump | unix.BPF_JEQ, K: call, Jf: 4}, unix.SockFilter{Code: load, K: atFirst},
			unix.SockFilter{Code: jump | unix.BPF_JEQ, K: first, Jt: 1}, refuse, unix.SockFilter{Code: load, K: atNumber})
	}
	only(unix.SYS_TGKILL, uint32(os.Getpid()))
	only(unix.SYS_PIDFD_OPEN, uint32(os.Getpid()))
	only(unix.SYS_PRLIMIT64, 0)
	let := unix.SockFilter{Code: give, K: unix.SECCOMP_RET_ALLOW}
	if helped {
		return append(p,
			unix.SockFilter{Code: jump | unix.BPF_JEQ, K: unix.SYS_OPENAT, Jf: 3},
			unix.SockFilter{Code: load, K: atFirst + 2*8},
			unix.SockFilter{Code: jump | unix.BPF_JSET, K: unix.O_WRONLY | unix.O_RDWR | unix.O_CREAT | unix.O_TRUNC, Jf: 1}, refuse, let)
	}
	return append(p,
		unix.SockFilter{Code: jump | unix.BPF_JEQ, K: unix.SYS_CLONE, Jf: 3},
		unix.SockFilter{Code: load, K: atFirst},
		unix.SockFilter{Code: jump | unix.BPF_JSET, K: unix.CLONE_THREAD, Jt: 1}, refuse, let)
}
