/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The library, slots, tokens, sessions and logins. */
#define _GNU_SOURCE
#include "module.h"

#include <stdio.h>
#include <string.h>

struct state state;

static void pad(char *field, size_t n, const char *text)
{
	size_t len = strlen(text);

	memset(field, ' ', n);
	memcpy(field, text, len < n ? len : n);
}

CK_RV C_Initialize(struct ck_initialize_args *a)
{
	CK_RV rv = CKR_OK;

	lock();
	if (state.initialized) {
		rv = CKR_ALREADY_INITIALIZED;
	} else {
		memset(&state, 0, sizeof state);
		if (crypto_start() || read_scenario(getenv("PERSTEN_P11_CONFIG")))
			rv = CKR_GENERAL_ERROR;
		else if (*state.reserved && (!a || !a->reserved || strcmp(a->reserved, state.reserved)))
			rv = CKR_ARGUMENTS_BAD;
		else
			state.initialized = 1;
		for (int i = 0; i < state.nslots; i++)
			state.slots[i].was_present = present(&state.slots[i]);
	}
	unlock();
	return rv;
}

CK_RV C_Finalize(void *reserved)
{
	CK_RV rv = reserved ? CKR_ARGUMENTS_BAD : CKR_OK;

	lock();
	if (!state.initialized)
		rv = CKR_NOT_INITIALIZED;
	if (rv == CKR_OK) {
		for (int i = 0; i < state.nslots; i++)
			free_objects(&state.slots[i]);
		for (int i = 0; i < MAX_SESSIONS; i++)
			free(state.sessions[i].found);
		state.initialized = 0;
		tell_changed(); /* who waits for a slot */
	}
	unlock();
	return rv;
}

CK_RV C_GetInfo(struct ck_info *i)
{
	memset(i, 0, sizeof *i);
	i->cryptoki = (struct ck_version){2, 40};
	pad(i->manufacturer, sizeof i->manufacturer, "Persten");
	pad(i->description, sizeof i->description, "Persten test module");
	i->library = (struct ck_version){1, 0};
	return CKR_OK;
}

struct slot *slot_of(CK_ULONG id)
{
	for (int i = 0; i < state.nslots; i++)
		if (state.slots[i].id == id)
			return &state.slots[i];
	return NULL;
}

/* present looks whether the token is there; when it went, its login and its sessions went with it. */
int present(struct slot *s)
{
	if (!*s->present || exists(s->present))
		return 1;
	s->logged_in = 0;
	for (int i = 0; i < MAX_SESSIONS; i++)
		if (state.sessions[i].slot == s)
			state.sessions[i].dead = 1;
	return 0;
}

CK_RV C_GetSlotList(CK_BYTE only_present, CK_ULONG *list, CK_ULONG *count)
{
	CK_ULONG n = 0;
	CK_RV rv = CKR_OK;

	lock();
	for (int i = 0; i < state.nslots; i++) {
		if (only_present && !present(&state.slots[i]))
			continue;
		if (list && n < *count)
			list[n] = state.slots[i].id;
		else if (list)
			rv = CKR_BUFFER_TOO_SMALL;
		n++;
	}
	if (!state.initialized)
		rv = CKR_NOT_INITIALIZED;
	*count = n;
	unlock();
	return rv;
}

CK_RV C_GetSlotInfo(CK_ULONG id, struct ck_slot_info *i)
{
	struct slot *s;

	lock();
	memset(i, 0, sizeof *i);
	pad(i->description, sizeof i->description, "Persten test slot");
	pad(i->manufacturer, sizeof i->manufacturer, "Persten");
	if ((s = slot_of(id)))
		i->flags = CKF_HW_SLOT | (*s->present ? CKF_REMOVABLE_DEVICE : 0) | (present(s) ? CKF_TOKEN_PRESENT : 0);
	unlock();
	return s ? CKR_OK : CKR_SLOT_ID_INVALID;
}

static int tries_left(struct slot *s)
{
	size_t len;
	byte *b = *s->tries ? read_file(s->tries, &len) : NULL;
	int n = s->max_tries;

	if (b) {
		b[len < 16 ? len : 16] = 0;
		n = atoi((char *)b);
	}
	free(b);
	return n;
}

static void set_tries(struct slot *s, int n)
{
	char text[16];

	if (*s->tries)
		write_file(s->tries, text, (size_t)snprintf(text, sizeof text, "%d\n", n));
}

static CK_ULONG token_flags(struct slot *s)
{
	CK_ULONG flags = CKF_RNG | CKF_TOKEN_INITIALIZED;
	int left = tries_left(s);

	if (*s->pin)
		flags |= CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED;
	if (s->issued)
		flags |= CKF_USER_PIN_TO_BE_CHANGED;
	if (s->keypad >= 0)
		flags |= CKF_PROTECTED_AUTHENTICATION_PATH;
	if (!*s->tries || left >= s->max_tries)
		return flags;
	if (left <= 0)
		return flags | CKF_USER_PIN_LOCKED;
	return flags | CKF_USER_PIN_COUNT_LOW | (left == 1 ? CKF_USER_PIN_FINAL_TRY : 0);
}

CK_RV C_GetTokenInfo(CK_ULONG id, struct ck_token_info *i)
{
	struct slot *s;
	CK_RV rv = CKR_OK;

	lock();
	memset(i, 0, sizeof *i);
	s = slot_of(id);
	if (!s) {
		rv = CKR_SLOT_ID_INVALID;
	} else if (!present(s)) {
		rv = CKR_TOKEN_NOT_PRESENT;
	} else {
		pad(i->label, sizeof i->label, s->label);
		pad(i->manufacturer, sizeof i->manufacturer, s->manufacturer);
		pad(i->model, sizeof i->model, s->model);
		pad(i->serial, sizeof i->serial, s->serial);
		pad(i->time, sizeof i->time, "");
		i->flags = token_flags(s);
		i->max_sessions = i->max_rw = MAX_SESSIONS;
		i->max_pin = 63, i->min_pin = 4;
		i->total_public = i->free_public = i->total_private = i->free_private = NONE;
	}
	unlock();
	return rv;
}

CK_RV C_GetMechanismList(CK_ULONG id, CK_ULONG *list, CK_ULONG *count)
{
	struct slot *s;
	CK_RV rv = CKR_OK;

	lock();
	s = slot_of(id);
	if (!s)
		rv = CKR_SLOT_ID_INVALID;
	else if (!present(s))
		rv = CKR_TOKEN_NOT_PRESENT;
	else if (list && *count < (CK_ULONG)s->nmechanisms)
		rv = CKR_BUFFER_TOO_SMALL;
	else if (list)
		memcpy(list, s->mechanisms, (size_t)s->nmechanisms * sizeof *list);
	if (s)
		*count = (CK_ULONG)s->nmechanisms;
	unlock();
	return rv;
}

int has_mechanism(struct slot *s, CK_ULONG m)
{
	for (int i = 0; i < s->nmechanisms; i++)
		if (s->mechanisms[i] == m)
			return 1;
	return 0;
}

/* mechanism_info tells what a mechanism is for, and its key sizes in bits. */
static void mechanism_info(CK_ULONG m, struct ck_mechanism_info *i)
{
	const CK_ULONG digests = 0x400, signs = 0x800, makes = 0x10000, derives = 0x80000, curves = 0x100000 | 0x800000;

	switch (m >= OLD_GOST && m < OLD_GOST_END ? m + OLD_GOST_SHIFT : m) {
	case CKM_RSA_PKCS_KEY_PAIR_GEN:
		*i = (struct ck_mechanism_info){1024, 8192, makes};
		break;
	case CKM_RSA_PKCS:
		*i = (struct ck_mechanism_info){1024, 8192, signs};
		break;
	case CKM_EC_KEY_PAIR_GEN:
		*i = (struct ck_mechanism_info){256, 521, makes | curves};
		break;
	case CKM_ECDSA:
		*i = (struct ck_mechanism_info){256, 521, signs | curves};
		break;
	case CKM_GOSTR3410_KEY_PAIR_GEN:
	case CKM_GOSTR3410_512_KEY_PAIR_GEN:
		i->flags = makes;
		break;
	case CKM_GOSTR3410_12_DERIVE:
		i->flags = derives;
		break;
	case CKM_SHA256:
	case CKM_GOSTR3411:
	case CKM_GOSTR3411_12_256:
	case CKM_GOSTR3411_12_512:
		i->flags = digests;
		break;
	default:
		i->flags = signs;
	}
}

CK_RV C_GetMechanismInfo(CK_ULONG id, CK_ULONG type, struct ck_mechanism_info *i)
{
	struct slot *s;
	CK_RV rv = CKR_OK;

	lock();
	s = slot_of(id);
	memset(i, 0, sizeof *i);
	if (!s)
		rv = CKR_SLOT_ID_INVALID;
	else if (!has_mechanism(s, type))
		rv = CKR_MECHANISM_INVALID;
	else
		mechanism_info(type, i);
	unlock();
	return rv;
}

/* pluggable says whether any token can come or go. */
static int pluggable(void)
{
	for (int i = 0; i < state.nslots; i++)
		if (*state.slots[i].present)
			return 1;
	return 0;
}

/* C_WaitForSlotEvent compares what is present with what it last reported, and sleeps where nothing can change. It lets go
 * of the lock between two looks, unless the scenario says that, as in some libraries, everybody else waits too. */
CK_RV C_WaitForSlotEvent(CK_ULONG flags, CK_ULONG *slot, void *reserved)
{
	(void)reserved;
	lock();
	for (;;) {
		if (!state.initialized || !state.wait_events) {
			CK_RV rv = state.initialized ? CKR_FUNCTION_NOT_SUPPORTED : CKR_NOT_INITIALIZED;

			unlock();
			return rv;
		}
		for (int i = 0; i < state.nslots; i++) {
			struct slot *s = &state.slots[i];
			int now = present(s);

			if (now != s->was_present) {
				s->was_present = now;
				*slot = s->id;
				unlock();
				return CKR_OK;
			}
		}
		if (flags & CKF_DONT_BLOCK) {
			unlock();
			return CKR_NO_EVENT;
		}
		if (state.hold_events) {
			pause_ms(20);
		} else if (pluggable()) {
			unlock();
			pause_ms(20);
			lock();
		} else {
			wait_changed();
		}
	}
}

CK_RV C_OpenSession(CK_ULONG id, CK_ULONG flags, void *application, void *notify, CK_ULONG *handle)
{
	struct slot *s;
	CK_RV rv = CKR_FUNCTION_FAILED;

	(void)application, (void)notify;
	lock();
	s = slot_of(id);
	if (!s)
		rv = CKR_SLOT_ID_INVALID;
	else if (!present(s))
		rv = CKR_TOKEN_NOT_PRESENT;
	else if (!(flags & CKF_SERIAL_SESSION))
		rv = 0xB4; /* CKR_SESSION_PARALLEL_NOT_SUPPORTED */
	else
		for (int i = 0; i < MAX_SESSIONS && rv != CKR_OK; i++) {
			struct session *n = &state.sessions[i];

			if (n->slot)
				continue;
			*n = (struct session){.handle = ++state.serial, .flags = flags, .slot = s, .mechanism = NONE};
			*handle = n->handle;
			rv = CKR_OK;
		}
	unlock();
	return rv;
}

/* session_of finds a session whose token is still there. */
CK_RV session_of(CK_ULONG handle, struct session **n)
{
	if (!state.initialized)
		return CKR_NOT_INITIALIZED;
	for (int i = 0; i < MAX_SESSIONS; i++) {
		struct session *x = &state.sessions[i];

		if (!x->slot || x->handle != handle)
			continue;
		*n = x;
		if (!present(x->slot))
			return CKR_DEVICE_REMOVED;
		return x->dead ? CKR_SESSION_HANDLE_INVALID : CKR_OK;
	}
	*n = NULL;
	return CKR_SESSION_HANDLE_INVALID;
}

static void end_session(struct session *n)
{
	struct slot *s = n->slot;
	int others = 0;

	for (size_t i = s->nobjects; i-- > 0;)
		if (s->objects[i]->session == n)
			remove_object(s, i);
	free(n->found);
	memset(n, 0, sizeof *n);
	for (int i = 0; i < MAX_SESSIONS; i++)
		others |= state.sessions[i].slot == s;
	if (!others)
		s->logged_in = 0; /* the standard: the last session ends the login */
}

CK_RV C_CloseSession(CK_ULONG handle)
{
	struct session *n;
	CK_RV rv;

	lock();
	rv = session_of(handle, &n);
	if (n)
		end_session(n);
	unlock();
	return rv;
}

CK_RV C_CloseAllSessions(CK_ULONG id)
{
	struct slot *s;

	lock();
	s = slot_of(id);
	for (int i = 0; s && i < MAX_SESSIONS; i++)
		if (state.sessions[i].slot == s)
			end_session(&state.sessions[i]);
	unlock();
	return s ? CKR_OK : CKR_SLOT_ID_INVALID;
}

CK_RV C_GetSessionInfo(CK_ULONG handle, struct ck_session_info *i)
{
	struct session *n;
	CK_RV rv;

	lock();
	rv = session_of(handle, &n);
	if (rv == CKR_OK) {
		int rw = (n->flags & CKF_RW_SESSION) != 0;

		*i = (struct ck_session_info){.slot = n->slot->id, .flags = n->flags,
			.state = (CK_ULONG)(n->slot->logged_in ? (rw ? 3 : 1) : rw ? 2 : 0)};
	}
	unlock();
	return rv;
}

/* check_pin spends one try. */
CK_RV check_pin(struct slot *s, const char *pin, CK_ULONG len)
{
	int left = tries_left(s);

	if (left <= 0)
		return CKR_PIN_LOCKED;
	if (len == strlen(s->pin) && !memcmp(pin, s->pin, len)) {
		set_tries(s, s->max_tries);
		return CKR_OK;
	}
	set_tries(s, left - 1);
	return left == 1 ? CKR_PIN_LOCKED : CKR_PIN_INCORRECT;
}

/* keypad is a person at the reader: the lock is free while they type. */
static CK_RV keypad(struct slot *s, CK_ULONG handle)
{
	struct session *n;
	CK_RV rv;

	unlock();
	pause_ms(s->keypad);
	lock();
	if ((rv = session_of(handle, &n)) != CKR_OK)
		return rv;
	if (s->keypad_answer == CKR_PIN_INCORRECT)
		return check_pin(s, "", 0);
	return s->keypad_answer == CKR_OK ? check_pin(s, s->pin, (CK_ULONG)strlen(s->pin)) : s->keypad_answer;
}

CK_RV login_user(struct session *n, CK_ULONG user, const char *pin, CK_ULONG len)
{
	struct slot *s = n->slot;
	CK_RV rv;

	if (user != CKU_USER && user != CKU_CONTEXT_SPECIFIC)
		return CKR_USER_TYPE_INVALID;
	if (user == CKU_USER && s->logged_in)
		return CKR_USER_ALREADY_LOGGED_IN;
	if (user == CKU_CONTEXT_SPECIFIC && (n->mechanism == NONE || !n->key || !n->key->always))
		return CKR_OPERATION_NOT_INITIALIZED;
	if (!pin && s->keypad < 0)
		return CKR_ARGUMENTS_BAD;
	rv = pin ? check_pin(s, pin, len) : keypad(s, n->handle);
	if (rv == CKR_OK && user == CKU_USER)
		s->logged_in = 1;
	else if (rv == CKR_OK)
		n->authenticated = 1;
	return rv;
}

CK_RV C_Login(CK_ULONG handle, CK_ULONG user, char *pin, CK_ULONG len)
{
	struct session *n;
	CK_RV rv;

	lock();
	rv = session_of(handle, &n);
	if (rv == CKR_OK)
		rv = login_user(n, user, pin, len);
	note("C_Login", rv);
	unlock();
	return rv;
}

CK_RV C_Logout(CK_ULONG handle)
{
	struct session *n;
	CK_RV rv;

	lock();
	rv = session_of(handle, &n);
	if (rv == CKR_OK && !n->slot->logged_in)
		rv = CKR_USER_NOT_LOGGED_IN;
	if (rv == CKR_OK)
		n->slot->logged_in = 0;
	unlock();
	return rv;
}
