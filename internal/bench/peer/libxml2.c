/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Parses a document with libxml2 and writes it in exclusive canonical form with comments, as fast as the library's API
 * allows: without the start of a process, and without a copy of the result where it is not asked for. Nothing is validated,
 * loaded or freed within the measured time.
 *
 *   libxml2 memory|stream FILE    memory: xmlReadMemory, xmlC14NDocDumpMemory; stream: xmlReadFile, xmlC14NDocSaveTo to a sink
 *   libxml2 version
 *
 * Output: the nanoseconds of the work, and the octets of the canonical form.
 */
#include <libxml/c14n.h>
#include <libxml/parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OPTIONS = XML_PARSE_NONET | XML_PARSE_HUGE | XML_PARSE_COMPACT | XML_PARSE_NOENT };

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "libxml2: %s\n", what);
    exit(1);
}

static char *read_file(const char *path, int *size)
{
    FILE *f = fopen(path, "rb");
    char *data;
    if (!f || fseek(f, 0, SEEK_END)) fail(path);
    *size = (int)ftell(f);
    rewind(f);
    data = malloc(*size);
    if (!data || fread(data, 1, *size, f) != (size_t)*size) fail(path);
    fclose(f);
    return data;
}

static int count(void *total, const char *data, int size)
{
    (void)data;
    *(long long *)total += size;
    return size;
}

static long long from_memory(const char *path, long long *size)
{
    int length;
    char *data = read_file(path, &length);
    long long began = now();
    xmlDocPtr doc = xmlReadMemory(data, length, path, NULL, OPTIONS);
    xmlChar *result = NULL;
    if (!doc) fail("not parsed");
    *size = xmlC14NDocDumpMemory(doc, NULL, XML_C14N_EXCLUSIVE_1_0, NULL, 1, &result);
    return now() - began;
}

static long long from_file(const char *path, long long *size)
{
    long long began = now();
    xmlDocPtr doc = xmlReadFile(path, NULL, OPTIONS);
    xmlOutputBufferPtr sink;
    if (!doc) fail("not parsed");
    *size = 0;
    sink = xmlOutputBufferCreateIO(count, NULL, size, NULL);
    if (xmlC14NDocSaveTo(doc, NULL, XML_C14N_EXCLUSIVE_1_0, NULL, 1, sink) < 0) fail("no canonical form");
    if (xmlOutputBufferClose(sink) < 0) fail("no canonical form");
    return now() - began;
}

int main(int argc, char **argv)
{
    long long size = 0, took = 0;
    if (argc == 2 && !strcmp(argv[1], "version")) {
        puts(LIBXML_DOTTED_VERSION);
        return 0;
    }
    if (argc != 3) fail("usage: libxml2 memory|stream FILE");
    xmlInitParser();
    took = strcmp(argv[1], "memory") ? from_file(argv[2], &size) : from_memory(argv[2], &size);
    if (size <= 0) fail("no canonical form");
    printf("%lld\n%lld\n", took, size);
    return 0;
}
