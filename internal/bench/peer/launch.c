/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Runs a program and writes to descriptor 3 how many nanoseconds it ran, its processor time and its peak memory.
 *
 *   launch PROGRAM ARGUMENT...
 *
 * It is a process of its own, and small, because the kernel counts into a program's peak memory what its parent had when
 * it started it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long long nanoseconds(struct timeval t)
{
    return 1000 * (t.tv_sec * 1000000LL + t.tv_usec);
}

int main(int argc, char **argv)
{
    struct rusage used;
    long long began = now();
    pid_t pid;
    int status, err;
    if (argc < 2) return 2;
    fcntl(3, F_SETFD, FD_CLOEXEC);
    err = posix_spawnp(&pid, argv[1], NULL, NULL, argv + 1, environ);
    if (err) {
        fprintf(stderr, "%s: %s\n", argv[1], strerror(err));
        return 1;
    }
    while (wait4(pid, &status, 0, &used) < 0)
        if (errno != EINTR) return 1;
    dprintf(3, "%lld %lld %lld\n", now() - began, nanoseconds(used.ru_utime) + nanoseconds(used.ru_stime), used.ru_maxrss * 1024LL);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
