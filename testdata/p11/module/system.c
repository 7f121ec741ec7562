/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What differs between systems: lock, sleep, files. */
#define _GNU_SOURCE
#include "module.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <dirent.h>

#ifdef _WIN32
#include <windows.h>
static SRWLOCK mutex = SRWLOCK_INIT;
void lock(void) { AcquireSRWLockExclusive(&mutex); }
void unlock(void) { ReleaseSRWLockExclusive(&mutex); }
void pause_ms(int ms) { Sleep((DWORD)ms); }
static CONDITION_VARIABLE changed = CONDITION_VARIABLE_INIT;
void wait_changed(void) { SleepConditionVariableSRW(&changed, &mutex, INFINITE, 0); }
void tell_changed(void) { WakeAllConditionVariable(&changed); }
#else
#include <errno.h>
#include <pthread.h>
#include <time.h>
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
void lock(void) { pthread_mutex_lock(&mutex); }
void unlock(void) { pthread_mutex_unlock(&mutex); }
void pause_ms(int ms)
{
	struct timespec t = {ms / 1000, (ms % 1000) * 1000000L};

	/* signals of the Go runtime cut a sleep short */
	while (nanosleep(&t, &t) == -1 && errno == EINTR)
		;
}
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
void wait_changed(void) { pthread_cond_wait(&changed, &mutex); }
void tell_changed(void) { pthread_cond_broadcast(&changed); }
#endif

int exists(const char *path)
{
	struct stat s;

	return stat(path, &s) == 0;
}

byte *read_file(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	byte *b = malloc(1 << 20);

	*len = f && b ? fread(b, 1, 1 << 20, f) : 0;
	if (f)
		fclose(f);
	if (*len == 0) {
		free(b);
		return NULL;
	}
	return b;
}

/* write_file replaces path at once, so that another process reads the old or the new file. */
int write_file(const char *path, const void *data, size_t len)
{
	char draft[PATH_SIZE + 8];
	FILE *f;
	int bad;

	snprintf(draft, sizeof draft, "%s.new", path);
	f = fopen(draft, "wb");
	if (!f)
		return -1;
	bad = fwrite(data, 1, len, f) != len;
	bad |= fclose(f) != 0;
#ifdef _WIN32
	remove(path);
#endif
	return bad || rename(draft, path) ? -1 : 0;
}

/* note writes a line to the log of the scenario. */
void note(const char *function, CK_RV rv)
{
	FILE *f = *state.log ? fopen(state.log, "ab") : NULL;

	if (!f)
		return;
	fprintf(f, "%s %#lx\n", function, rv);
	fclose(f);
}

void each_file(const char *dir, void (*f)(struct slot *, const char *name), struct slot *s)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	if (!d)
		return;
	while ((e = readdir(d)))
		f(s, e->d_name);
	closedir(d);
}
