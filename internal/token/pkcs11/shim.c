/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "shim.h"

#include <stdio.h>
#include <string.h>

typedef ck_ulong (*login_fn)(ck_ulong, ck_ulong, void *, ck_ulong);
typedef ck_ulong (*attribute_fn)(ck_ulong, ck_ulong, struct ck_attribute *, ck_ulong);
typedef ck_ulong (*sign_fn)(ck_ulong, void *, ck_ulong, void *, ck_ulong *);
typedef ck_ulong (*list_fn)(struct ck_function_list **);

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
	wchar_t wide[LONGEST];
	HMODULE h;

	if (!MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, LONGEST)) {
		snprintf(why, size, "path is not UTF-8 or too long");
		return NULL;
	}
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
