/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of the PKCS#11 v2.40 ABI that this module uses, and the TC26 numbers. */
#ifndef CRYPTOKI_H
#define CRYPTOKI_H

#ifdef _WIN32
#pragma pack(push, 1)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

typedef unsigned long CK_ULONG;
typedef unsigned char CK_BYTE;
typedef CK_ULONG CK_RV;

struct ck_version {
	CK_BYTE major, minor;
};

struct ck_info {
	struct ck_version cryptoki;
	char manufacturer[32];
	CK_ULONG flags;
	char description[32];
	struct ck_version library;
};

struct ck_slot_info {
	char description[64], manufacturer[32];
	CK_ULONG flags;
	struct ck_version hardware, firmware;
};

struct ck_token_info {
	char label[32], manufacturer[32], model[16], serial[16];
	CK_ULONG flags, max_sessions, sessions, max_rw, rw, max_pin, min_pin, total_public, free_public, total_private, free_private;
	struct ck_version hardware, firmware;
	char time[16];
};

struct ck_session_info {
	CK_ULONG slot, state, flags, error;
};

struct ck_attribute {
	CK_ULONG type;
	void *value;
	CK_ULONG len;
};

struct ck_mechanism {
	CK_ULONG type;
	void *parameter;
	CK_ULONG len;
};

struct ck_mechanism_info {
	CK_ULONG min, max, flags;
};

struct ck_initialize_args {
	void *create, *destroy, *lock, *unlock;
	CK_ULONG flags;
	void *reserved;
};

struct ck_function_list {
	struct ck_version version;
	void *f[68];
};

#ifdef _WIN32
#pragma pack(pop)
#endif

#define NONE ((CK_ULONG)-1) /* CK_UNAVAILABLE_INFORMATION and "no value" */

enum {
	CKR_OK = 0, CKR_SLOT_ID_INVALID = 3, CKR_GENERAL_ERROR = 5, CKR_FUNCTION_FAILED = 6, CKR_ARGUMENTS_BAD = 7, CKR_NO_EVENT = 8,
	CKR_ATTRIBUTE_SENSITIVE = 0x11, CKR_ATTRIBUTE_TYPE_INVALID = 0x12, CKR_ATTRIBUTE_VALUE_INVALID = 0x13, CKR_DATA_LEN_RANGE = 0x21,
	CKR_DEVICE_REMOVED = 0x32, CKR_FUNCTION_CANCELED = 0x50, CKR_FUNCTION_NOT_PARALLEL = 0x51, CKR_FUNCTION_NOT_SUPPORTED = 0x54,
	CKR_KEY_HANDLE_INVALID = 0x60, CKR_KEY_TYPE_INCONSISTENT = 0x63, CKR_MECHANISM_INVALID = 0x70, CKR_MECHANISM_PARAM_INVALID = 0x71,
	CKR_OBJECT_HANDLE_INVALID = 0x82, CKR_OPERATION_ACTIVE = 0x90, CKR_OPERATION_NOT_INITIALIZED = 0x91, CKR_PIN_INCORRECT = 0xA0,
	CKR_PIN_LOCKED = 0xA4, CKR_SESSION_HANDLE_INVALID = 0xB3, CKR_SESSION_READ_ONLY = 0xB5, CKR_TEMPLATE_INCOMPLETE = 0xD0,
	CKR_TOKEN_NOT_PRESENT = 0xE0, CKR_USER_ALREADY_LOGGED_IN = 0x100, CKR_USER_NOT_LOGGED_IN = 0x101, CKR_USER_TYPE_INVALID = 0x103,
	CKR_BUFFER_TOO_SMALL = 0x150, CKR_NOT_INITIALIZED = 0x190, CKR_ALREADY_INITIALIZED = 0x191
};

enum { CKO_DATA = 0, CKO_CERTIFICATE = 1, CKO_PUBLIC_KEY = 2, CKO_PRIVATE_KEY = 3, CKO_SECRET_KEY = 4 };

enum {
	CKA_CLASS = 0, CKA_TOKEN = 1, CKA_PRIVATE = 2, CKA_LABEL = 3, CKA_VALUE = 0x11, CKA_CERTIFICATE_TYPE = 0x80, CKA_KEY_TYPE = 0x100,
	CKA_ID = 0x102, CKA_SENSITIVE = 0x103, CKA_DERIVE = 0x10C, CKA_SIGN = 0x108, CKA_VERIFY = 0x10A, CKA_MODULUS = 0x120,
	CKA_MODULUS_BITS = 0x121, CKA_PUBLIC_EXPONENT = 0x122, CKA_VALUE_LEN = 0x161, CKA_EXTRACTABLE = 0x162, CKA_EC_PARAMS = 0x180,
	CKA_EC_POINT = 0x181, CKA_ALWAYS_AUTHENTICATE = 0x202, CKA_GOSTR3410_PARAMS = 0x250, CKA_GOSTR3411_PARAMS = 0x251
};

#define CKK_RSA 0x0UL
#define CKK_EC 0x3UL
#define CKK_GENERIC_SECRET 0x10UL
#define CKK_GOSTR3410 0x30UL
#define CKK_GOSTR3410_512 0xD4321003UL

#define CKM_RSA_PKCS_KEY_PAIR_GEN 0x0UL
#define CKM_RSA_PKCS 0x1UL
#define CKM_SHA256 0x250UL
#define CKM_EC_KEY_PAIR_GEN 0x1040UL
#define CKM_ECDSA 0x1041UL
#define CKM_GOSTR3410_KEY_PAIR_GEN 0x1200UL
#define CKM_GOSTR3410 0x1201UL
#define CKM_GOSTR3410_WITH_GOSTR3411 0x1202UL
#define CKM_GOSTR3410_512_KEY_PAIR_GEN 0xD4321005UL
#define CKM_GOSTR3410_512 0xD4321006UL
#define CKM_GOSTR3410_12_DERIVE 0xD4321007UL
#define CKM_GOSTR3410_WITH_GOSTR3411_12_256 0xD4321008UL
#define CKM_GOSTR3410_WITH_GOSTR3411_12_512 0xD4321009UL
#define CKM_GOSTR3411 0x1210UL
#define CKM_GOSTR3411_12_256 0xD4321012UL
#define CKM_GOSTR3411_12_512 0xD4321013UL
/* The 2001 mechanisms in some older headers: 0x200 and up instead of 0x1200 and up. */
#define OLD_GOST 0x200UL
#define OLD_GOST_END 0x20CUL
#define OLD_GOST_SHIFT 0x1000UL

#define CKF_TOKEN_PRESENT 1UL
#define CKF_REMOVABLE_DEVICE 2UL
#define CKF_HW_SLOT 4UL
#define CKF_RW_SESSION 2UL
#define CKF_SERIAL_SESSION 4UL
#define CKF_DONT_BLOCK 1UL

#define CKF_RNG 0x1UL
#define CKF_LOGIN_REQUIRED 0x4UL
#define CKF_USER_PIN_INITIALIZED 0x8UL
#define CKF_PROTECTED_AUTHENTICATION_PATH 0x100UL
#define CKF_TOKEN_INITIALIZED 0x400UL
#define CKF_USER_PIN_COUNT_LOW 0x10000UL
#define CKF_USER_PIN_FINAL_TRY 0x20000UL
#define CKF_USER_PIN_TO_BE_CHANGED 0x80000UL
#define CKF_USER_PIN_LOCKED 0x40000UL

#define CKU_USER 1UL
#define CKU_CONTEXT_SPECIFIC 2UL

#endif
