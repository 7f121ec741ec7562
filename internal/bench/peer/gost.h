/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The command line of the programs that measure the GOST primitives of a library. Each defines what is declared here and
 * gets its main from this file.
 *
 *   PROGRAM version
 *   PROGRAM hash 256|512 FILE [MS]
 *   PROGRAM sign CURVE KEY DIGEST [MS]
 *   PROGRAM verify CURVE KEY DIGEST SIGNATURE [MS]
 *
 * Without MS the work is done once and its result printed in hex; verify prints nothing and fails when the signature is not
 * accepted. With MS it is done again and again for that long; then follow how often, the nanoseconds and the processor
 * time of it. KEY is what the library wants: a file, or d:x:y in hex, highest byte first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static const char *version(void);
static void use_key(const char *curve, const char *key);
static void start_hash(int bits);
static void hash(const unsigned char *data, size_t size, unsigned char *digest); /* from begin to end */
static size_t sign(const unsigned char *digest, size_t size, unsigned char *signature);
static int verify(const unsigned char *digest, size_t size, const unsigned char *signature);

static void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static size_t unhex(const char *text, unsigned char *out, size_t room)
{
    size_t n = 0;
    unsigned byte;
    for (; n < room && sscanf(text + 2 * n, "%2x", &byte) == 1; n++) out[n] = byte;
    return n;
}

static void print_hex(const unsigned char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) printf("%02x", data[i]);
    printf("\n");
}

static struct {
    int argc;
    char **argv, what;
    unsigned char *data, digest[64], signature[128];
    size_t size, signature_size;
} job;

static void once(void)
{
    switch (job.what) {
    case 'h': hash(job.data, job.size, job.digest); break;
    case 's': job.signature_size = sign(job.digest, job.size, job.signature); break;
    case 'v': if (!verify(job.digest, job.size, job.signature)) fail("not accepted");
    }
}

static long long wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long long processor(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return 1000 * ((u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000LL + u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void repeat(long ms)
{
    long long began, used, took, n = 0;
    once(); /* makes tables and fills caches */
    used = processor();
    began = wall();
    do { once(); n++; } while ((took = wall() - began) < ms * 1000000LL);
    printf("%lld %lld %lld\n", n, took, processor() - used);
}

static void read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END)) fail(path);
    job.size = ftell(f);
    rewind(f);
    job.data = (unsigned char *)malloc(job.size);
    if (!job.data || fread(job.data, 1, job.size, f) != job.size) fail(path);
    fclose(f);
}

/* prepare returns which argument MS is. */
static int prepare(void)
{
    char **a = job.argv;
    job.what = a[1][0];
    if (job.what == 'h') {
        read_file(a[3]);
        start_hash(atoi(a[2]));
        return 4;
    }
    use_key(a[2], a[3]);
    job.size = unhex(a[4], job.digest, sizeof job.digest);
    if (job.what == 's') return 5;
    job.signature_size = unhex(a[5], job.signature, sizeof job.signature);
    return 6;
}

int main(int argc, char **argv)
{
    int ms;
    if (argc == 2) {
        puts(version());
        return 0;
    }
    if (argc < 4 || (argv[1][0] != 'h' && argc < (argv[1][0] == 's' ? 5 : 6))) fail("usage: see gost.h");
    job.argc = argc;
    job.argv = argv;
    ms = prepare();
    if (argc > ms) {
        repeat(atol(argv[ms]));
        return 0;
    }
    once();
    if (job.what == 'h') print_hex(job.digest, atoi(argv[2]) / 8);
    if (job.what == 's') print_hex(job.signature, job.signature_size);
    return 0;
}
