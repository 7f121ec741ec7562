/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The function list, in the order of the standard. What is not here is answered with "not supported". */
#include "module.h"

CK_RV C_Initialize(), C_Finalize(), C_GetInfo(), C_GetSlotList(), C_GetSlotInfo(), C_GetTokenInfo(), C_GetMechanismList(),
	C_GetMechanismInfo(), C_OpenSession(), C_CloseSession(), C_CloseAllSessions(), C_GetSessionInfo(), C_Login(), C_Logout(),
	C_CreateObject(), C_DestroyObject(), C_GetAttributeValue(), C_FindObjectsInit(), C_FindObjects(), C_FindObjectsFinal(),
	C_DigestInit(), C_Digest(), C_SignInit(), C_Sign(), C_GenerateKeyPair(), C_DeriveKey(), C_WaitForSlotEvent();
EXPORT CK_RV C_GetFunctionList(struct ck_function_list **list);

static CK_RV unsupported(void) { return CKR_FUNCTION_NOT_SUPPORTED; }
static CK_RV not_parallel(void) { return CKR_FUNCTION_NOT_PARALLEL; }

static struct ck_function_list functions = {
	{2, 40},
	{
		[0] = C_Initialize, [1] = C_Finalize, [2] = C_GetInfo, [3] = C_GetFunctionList, [4] = C_GetSlotList, [5] = C_GetSlotInfo,
		[6] = C_GetTokenInfo, [7] = C_GetMechanismList, [8] = C_GetMechanismInfo, [9] = unsupported, [10] = unsupported,
		[11] = unsupported, [12] = C_OpenSession, [13] = C_CloseSession, [14] = C_CloseAllSessions, [15] = C_GetSessionInfo,
		[16] = unsupported, [17] = unsupported, [18] = C_Login, [19] = C_Logout, [20] = C_CreateObject, [21] = unsupported,
		[22] = C_DestroyObject, [23] = unsupported, [24] = C_GetAttributeValue, [25] = unsupported, [26] = C_FindObjectsInit,
		[27] = C_FindObjects, [28] = C_FindObjectsFinal, [29 ... 36] = unsupported, [37] = C_DigestInit, [38] = C_Digest,
		[39 ... 41] = unsupported, [42] = C_SignInit, [43] = C_Sign, [44 ... 58] = unsupported, [59] = C_GenerateKeyPair,
		[60] = unsupported, [61] = unsupported, [62] = C_DeriveKey, [63] = unsupported, [64] = unsupported, [65] = not_parallel,
		[66] = not_parallel, [67] = C_WaitForSlotEvent,
	},
};

EXPORT CK_RV C_GetFunctionList(struct ck_function_list **list)
{
	if (!list)
		return CKR_ARGUMENTS_BAD;
	*list = &functions;
	return CKR_OK;
}
