/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The scenario: one thing per line, words separated by spaces, # starts a comment line, paths without spaces.
 *
 *     events wait | hold | none     C_WaitForSlotEvent works, or works and blocks all other calls, or is not supported (the
 *                                   default)
 *     reserved TEXT                 C_Initialize wants exactly this pReserved, as NSS does
 *     log FILE                      a line per C_Login and C_Sign that was tried: the name and the return value
 *
 *     slot NUMBER                   begins a token; the lines below describe it
 *     label TEXT                    UTF-8, to the end of the line; also serial, model, manufacturer. "\xNN" is a byte
 *     pin PIN [issued]              without it nothing needs a login; issued: it is the one the token came with
 *     tries FILE [MAX]              the attempts left are kept in FILE, MAX (3) when it is not there
 *     present FILE                  the token is in the slot while FILE exists
 *     keypad MS [ok|wrong|cancel]   the PIN is typed on the reader, which takes so long and ends so
 *     mechanisms WORD...            rsa ec gost256 gost512 hash256 hash512 gost2001 old2001 vko digest keygen, or a number
 *     layout WORD                   of signatures: normal, halves, reversed, both, hash
 *     public WORD                   CKA_VALUE of GOST public keys: le (the standard), be, octets (in an OCTET STRING)
 *     store DIR                     made keys and written certificates live here; other processes see them
 *     key FILE [OPTION...]          a private key, PKCS#8 DER, and its public key object
 *     cert FILE [OPTION...]         a certificate, DER
 *     bulk data|public|certs N [FILE]   N more objects; certs are copies of FILE with another signature
 *
 * OPTION is id=HEX, label=TEXT, params=HEX (DER of CKA_GOSTR3410_PARAMS), always (asks for the PIN before each signature),
 * nopublic (no public key object), hidden (the public key or certificate needs login), visible (the private key does not).
 */
#define _GNU_SOURCE
#include "module.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* unhex reads pairs of digits until something else comes. */
size_t unhex(const char *text, CK_BYTE *out, size_t room)
{
	size_t n = 0;
	unsigned v;

	while (n < room && isxdigit((unsigned char)text[2 * n]) && isxdigit((unsigned char)text[2 * n + 1])) {
		sscanf(text + 2 * n, "%2x", &v);
		out[n++] = (CK_BYTE)v;
	}
	return n;
}

/* text copies the rest of a line, with \xNN for bytes that are not text. */
static void text(char *out, size_t room, const char *rest)
{
	size_t n = 0;
	unsigned v;

	while (*rest && n + 1 < room) {
		if (rest[0] == '\\' && rest[1] == 'x' && sscanf(rest + 2, "%2x", &v) == 1) {
			out[n++] = (char)v;
			rest += 4;
		} else {
			out[n++] = *rest++;
		}
	}
	out[n] = 0;
}

static void path(char *out, const char *word)
{
	snprintf(out, PATH_SIZE, "%s", word ? word : "");
}

static void mechanisms(struct slot *s, char *word)
{
	static const struct {
		const char *word;
		CK_ULONG all[4];
		int n;
	} sets[] = {
		{"rsa", {CKM_RSA_PKCS}, 1},
		{"ec", {CKM_ECDSA}, 1},
		{"gost256", {CKM_GOSTR3410}, 1},
		{"gost512", {CKM_GOSTR3410_512}, 1},
		{"hash256", {CKM_GOSTR3410_WITH_GOSTR3411_12_256}, 1},
		{"hash512", {CKM_GOSTR3410_WITH_GOSTR3411_12_512}, 1},
		{"gost2001", {CKM_GOSTR3410, CKM_GOSTR3410_WITH_GOSTR3411, CKM_GOSTR3411}, 3},
		{"old2001", {OLD_GOST, OLD_GOST + 1, OLD_GOST + 2}, 3},
		{"vko", {CKM_GOSTR3410_12_DERIVE}, 1},
		{"digest", {CKM_SHA256, CKM_GOSTR3411_12_256, CKM_GOSTR3411_12_512}, 3},
		{"keygen", {CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_EC_KEY_PAIR_GEN, CKM_GOSTR3410_KEY_PAIR_GEN, CKM_GOSTR3410_512_KEY_PAIR_GEN}, 4},
	};

	for (; word; word = strtok(NULL, " ")) {
		size_t i = 0;

		while (i < sizeof sets / sizeof *sets && strcmp(sets[i].word, word))
			i++;
		if (i == sizeof sets / sizeof *sets) {
			if (s->nmechanisms < MAX_MECHANISMS)
				s->mechanisms[s->nmechanisms++] = strtoul(word, NULL, 0);
			continue;
		}
		for (int j = 0; j < sets[i].n && s->nmechanisms < MAX_MECHANISMS; j++)
			s->mechanisms[s->nmechanisms++] = sets[i].all[j];
	}
}

static int choose(const char *word, const char *const *words)
{
	for (int i = 0; words[i]; i++)
		if (word && !strcmp(words[i], word))
			return i;
	return 0;
}

/* object_line is a key or a certificate. */
static int object_line(struct slot *s, int is_key, char *file)
{
	struct object like = {.class = is_key ? CKO_PRIVATE_KEY : CKO_CERTIFICATE, .hidden = is_key};
	int public = 1, public_hidden = 0, bad = 0;
	byte *params = NULL, *der;
	size_t len, before = s->nobjects;
	char *word;

	while ((word = strtok(NULL, " "))) {
		if (!strncmp(word, "id=", 3))
			like.idlen = unhex(word + 3, like.id, sizeof like.id);
		else if (!strncmp(word, "label=", 6))
			text(like.label, sizeof like.label, word + 6);
		else if (!strncmp(word, "params=", 7) && (params = malloc(64)))
			like.params = params, like.paramslen = unhex(word + 7, params, 64);
		else if (!strcmp(word, "always"))
			like.always = 1;
		else if (!strcmp(word, "nopublic"))
			public = 0;
		else if (!strcmp(word, "hidden"))
			public_hidden = 1;
		else if (!strcmp(word, "visible"))
			like.hidden = 0;
	}
	der = read_file(file, &len);
	if (!der)
		return -1;
	if (is_key) {
		struct key *k = key_read(der, len);

		bad = !k || add_pair(s, k, &like, public);
		free(der);
	} else {
		struct object *o = add_object(s, CKO_CERTIFICATE);
		CK_ULONG handle = o->handle;

		*o = like;
		o->handle = handle;
		o->value = der, o->len = len;
	}
	for (size_t i = before; public_hidden && i < s->nobjects; i++)
		s->objects[i]->hidden = 1;
	return bad;
}

static struct slot *new_slot(const char *number)
{
	struct slot *s;

	if (state.nslots == MAX_SLOTS)
		return NULL;
	s = &state.slots[state.nslots++];
	memset(s, 0, sizeof *s);
	s->id = strtoul(number, NULL, 0);
	s->max_tries = 3;
	s->keypad = -1;
	text(s->label, sizeof s->label, "Persten test module");
	text(s->model, sizeof s->model, "P11TEST");
	text(s->manufacturer, sizeof s->manufacturer, "Persten");
	snprintf(s->serial, sizeof s->serial, "%016lx", s->id);
	return s;
}

static int slot_line(struct slot *s, const char *word, char *rest)
{
	static const char *const layouts[] = {"normal", "halves", "reversed", "both", "hash", NULL};
	static const char *const forms[] = {"le", "be", "octets", NULL};
	char *first;

	if (!strcmp(word, "label"))
		return text(s->label, sizeof s->label, rest), 0;
	if (!strcmp(word, "serial"))
		return text(s->serial, sizeof s->serial, rest), 0;
	if (!strcmp(word, "model"))
		return text(s->model, sizeof s->model, rest), 0;
	if (!strcmp(word, "manufacturer"))
		return text(s->manufacturer, sizeof s->manufacturer, rest), 0;
	first = strtok(rest, " ");
	if (!first)
		return -1;
	if (!strcmp(word, "pin")) {
		text(s->pin, sizeof s->pin, first);
		s->issued = strtok(NULL, " ") != NULL;
	} else if (!strcmp(word, "tries")) {
		path(s->tries, first);
		if ((first = strtok(NULL, " ")))
			s->max_tries = atoi(first);
	} else if (!strcmp(word, "present")) {
		path(s->present, first);
	} else if (!strcmp(word, "keypad")) {
		static const char *const answers[] = {"ok", "wrong", "cancel", NULL};
		static const CK_RV rvs[] = {CKR_OK, CKR_PIN_INCORRECT, CKR_FUNCTION_CANCELED};

		s->keypad = atoi(first);
		s->keypad_answer = rvs[choose(strtok(NULL, " "), answers)];
	} else if (!strcmp(word, "mechanisms")) {
		mechanisms(s, first);
	} else if (!strcmp(word, "layout")) {
		s->layout = (enum layout)choose(first, layouts);
	} else if (!strcmp(word, "public")) {
		s->form = (enum public_form)choose(first, forms);
	} else if (!strcmp(word, "store")) {
		path(s->store, first);
	} else if (!strcmp(word, "key") || !strcmp(word, "cert")) {
		return object_line(s, *word == 'k', first);
	} else if (!strcmp(word, "bulk")) {
		char *n = strtok(NULL, " ");

		add_bulk(s, first, n ? atol(n) : 0, strtok(NULL, " "));
	} else {
		return -1;
	}
	return 0;
}

int read_scenario(const char *file)
{
	char line[4096];
	struct slot *s = NULL;
	int bad = 0, number = 0;
	FILE *f = file ? fopen(file, "rb") : NULL;

	if (!f)
		return -1;
	while (!bad && fgets(line, sizeof line, f)) {
		char *word = line + strspn(line, " \t"), *rest;

		number++;
		word[strcspn(word, "\r\n")] = 0;
		if (!*word || *word == '#')
			continue;
		rest = word + strcspn(word, " ");
		if (*rest)
			*rest++ = 0;
		if (!strcmp(word, "events"))
			state.hold_events = !strcmp(rest, "hold"), state.wait_events = state.hold_events || !strcmp(rest, "wait");
		else if (!strcmp(word, "reserved"))
			text(state.reserved, sizeof state.reserved, rest);
		else if (!strcmp(word, "log"))
			path(state.log, rest);
		else if (!strcmp(word, "slot"))
			bad = !(s = new_slot(rest));
		else
			bad = !s || slot_line(s, word, rest);
	}
	fclose(f);
	if (bad)
		fprintf(stderr, "p11test: %s:%d: not understood, or a file is missing\n", file, number);
	return bad;
}
