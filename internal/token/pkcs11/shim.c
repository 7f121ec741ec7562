/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "shim.h"

#include <stdio.h>
#include <string.h>

typedef ck_ulong (*login_fn)(ck_ulong, ck_ulong, void *, ck_ulong);
typedef ck_ulong (*attribute_fn)(ck_ulong, ck_ulong, struct ck_attribute *, ck_ulong);
typedef ck_ulong (*sign_fn)(ck_ulong, void *, ck_ulong, void *, ck_ulong *);
typedef ck_ulong (*list_fn)(struct ck_function_list **);
typedef ck_ulong (*slots_fn)(unsigned char, ck_ulong *, ck_ulong *);
typedef ck_ulong (*mechanisms_fn)(ck_ulong, ck_ulong *, ck_ulong *);
typedef ck_ulong (*find_fn)(ck_ulong, ck_ulong *, ck_ulong, ck_ulong *);
typedef ck_ulong (*wait_fn)(ck_ulong, ck_ulong *, void *);

#define BUFFER_TOO_SMALL 0x150UL
#define RETRIES 3 /* of a list that grows between the question how long it is and the answer */

ck_ulong persten_slots(struct ck_function_list *l, ck_ulong *out, ck_ulong *len)
{
	slots_fn f = (slots_fn)l->f[FN_GET_SLOT_LIST];
	ck_ulong room = *len, rv = BUFFER_TOO_SMALL;
	int i;

	*len = 0;
	if (!f)
		return PERSTEN_NO_FUNCTION;
	for (i = 0; i < RETRIES && rv == BUFFER_TOO_SMALL; i++) {
		ck_ulong n = 0, m;
		rv = f(1, NULL, &n); /* also makes the module look for new slots */
		if (rv || n == 0)
			return rv;
		if (n > room)
			return PERSTEN_BAD_LENGTH;
		m = n;
		rv = f(1, out, &m);
		if (rv == 0 && m > n)
			return PERSTEN_BAD_LENGTH;
		*len = rv ? 0 : m;
	}
	return rv;
}

ck_ulong persten_mechanisms(struct ck_function_list *l, ck_ulong slot, ck_ulong *out, ck_ulong *len)
{
	mechanisms_fn f = (mechanisms_fn)l->f[FN_GET_MECHANISM_LIST];
	ck_ulong room = *len, n = 0, m, rv;

	*len = 0;
	if (!f)
		return PERSTEN_NO_FUNCTION;
	rv = f(slot, NULL, &n);
	if (rv && rv != BUFFER_TOO_SMALL) /* which some answer to a null pointer */
		return rv;
	if (n == 0)
		return 0;
	if (n > room)
		return PERSTEN_BAD_LENGTH;
	m = n;
	rv = f(slot, out, &m);
	if (rv == 0 && m > n)
		return PERSTEN_BAD_LENGTH;
	*len = rv ? 0 : m;
	return rv;
}

ck_ulong persten_find(struct ck_function_list *l, ck_ulong session, ck_ulong *out, ck_ulong *len)
{
	find_fn f = (find_fn)l->f[FN_FIND_OBJECTS];
	ck_ulong room = *len, n = 0, rv;

	*len = 0;
	if (!f)
		return PERSTEN_NO_FUNCTION;
	rv = f(session, out, room, &n);
	if (rv == 0 && n > room)
		return PERSTEN_BAD_LENGTH;
	*len = rv ? 0 : n;
	return rv;
}

ck_ulong persten_wait(struct ck_function_list *l, ck_ulong flags, ck_ulong *slot)
{
	wait_fn f = (wait_fn)l->f[FN_WAIT_FOR_SLOT_EVENT];

	return f ? f(flags, slot, NULL) : PERSTEN_NO_FUNCTION;
}

ck_ulong persten_login(struct ck_function_list *l, ck_ulong session, ck_ulong user, void *pin, ck_ulong len)
{
	login_fn f = (login_fn)l->f[FN_LOGIN];
	return f ? f(session, user, pin, len) : PERSTEN_NO_FUNCTION;
}

ck_ulong persten_attribute(struct ck_function_list *l, ck_ulong session, ck_ulong object, ck_ulong type, void *out,
	ck_ulong *len)
{
	attribute_fn f = (attribute_fn)l->f[FN_GET_ATTRIBUTE_VALUE];
	struct ck_attribute a = { type, NULL, 0 };
	ck_ulong room = *len, rv;

	*len = 0;
	if (!f)
		return PERSTEN_NO_FUNCTION;
	/* Some modules refuse a buffer larger than the value, so ask for the length first. */
	rv = f(session, object, &a, 1);
	if (rv)
		return rv;
	if (a.len > room) /* also catches (CK_ULONG)-1 */
		return PERSTEN_BAD_LENGTH;
	if (a.len == 0)
		return 0;
	room = a.len;
	a.value = out;
	rv = f(session, object, &a, 1);
	if (rv)
		return rv;
	if (a.len > room)
		return PERSTEN_BAD_LENGTH;
	*len = a.len;
	return 0;
}

ck_ulong persten_sign(struct ck_function_list *l, ck_ulong session, void *data, ck_ulong n, void *out, ck_ulong *len)
{
	sign_fn f = (sign_fn)l->f[FN_SIGN];
	ck_ulong room = *len, rv;

	if (!f)
		return PERSTEN_NO_FUNCTION;
	rv = f(session, data, n, out, len);
	if (rv == 0 && (*len > room || *len == 0))
		return PERSTEN_BAD_LENGTH;
	return rv;
}

static struct ck_function_list *functions(list_fn get, char *why, int size)
{
	struct ck_function_list *l = NULL;
	ck_ulong rv;

	if (!get) {
		snprintf(why, size, "no C_GetFunctionList");
		return NULL;
	}
	rv = get(&l);
	if (rv || !l) {
		snprintf(why, size, "C_GetFunctionList: 0x%lx", rv);
		return NULL;
	}
	return l;
}

#ifdef _WIN32
#include <windows.h>

#define LONGEST 1024

struct ck_function_list *persten_load(const char *path, char *why, int size)
{
	wchar_t wide[LONGEST], folder[LONGEST], *end;
	HMODULE h;

	if (!MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, LONGEST)) {
		snprintf(why, size, "path is not UTF-8 or too long");
		return NULL;
	}
	wcscpy(folder, wide);
	if ((end = wcsrchr(folder, L'\\')))
		*end = 0;
	AddDllDirectory(folder); /* for what the module loads by name later */
	h = LoadLibraryExW(wide, NULL, LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32);
	if (!h) {
		snprintf(why, size, "LoadLibraryEx: error %lu", GetLastError());
		return NULL;
	}
	return functions((list_fn)(void *)GetProcAddress(h, "C_GetFunctionList"), why, size);
}

int persten_ansi_path(const char *path, char *out, int size)
{
	wchar_t wide[LONGEST], brief[LONGEST];
	BOOL lost = FALSE;
	DWORD n;

	if (!MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, LONGEST))
		return -1;
	if (WideCharToMultiByte(CP_ACP, WC_NO_BEST_FIT_CHARS, wide, -1, out, size, NULL, &lost) && !lost)
		return 0;
	n = GetShortPathNameW(wide, brief, LONGEST);
	if (n == 0 || n >= LONGEST)
		return -1;
	lost = FALSE;
	if (!WideCharToMultiByte(CP_ACP, WC_NO_BEST_FIT_CHARS, brief, -1, out, size, NULL, &lost) || lost)
		return -1;
	return 0;
}
#else
#include <dlfcn.h>

struct ck_function_list *persten_load(const char *path, char *why, int size)
{
	void *h = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!h) {
		snprintf(why, size, "%s", dlerror());
		return NULL;
	}
	return functions((list_fn)dlsym(h, "C_GetFunctionList"), why, size);
}

int persten_ansi_path(const char *path, char *out, int size)
{
	return snprintf(out, size, "%s", path) < size ? 0 : -1;
}
#endif
