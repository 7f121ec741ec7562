// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !purego

#include "textflag.h"

// The state is kept transposed: byte 8j+i of a register is byte j of word i. Then S is a look-up in four registers, and the
// rest of LPS is the sum over d of A(d) times a permutation of bytes, because the permutation P, the return to the
// transposed order and the choice of the column all are permutations of bytes, done by one VPERMB.
//
//	Z0 X = s^K   Z1 K   Z2 K^C   Z3 h, then h^m   Z4-Z10 scratch
//	Z11-Z18 permutations   Z19-Z26 matrices   Z27-Z30 pi   Z31 spreads bit 7
//	R8-R15 the checksum

// SUBST sets Z4 to S(x): the low and the high half of pi, chosen by bit 7.
#define SUBST(x) \
	VGF2P8AFFINEQB $0, Z31, x, Z4; \
	VMOVDQA64 x, Z5; \
	VMOVDQA64 x, Z6; \
	VPERMI2B Z28, Z27, Z5; \
	VPERMI2B Z30, Z29, Z6; \
	VPTERNLOGQ $0xca, Z5, Z6, Z4

// TERM sets t to the matrix product of one permutation of Z4.
#define TERM(permutation, matrix, t) \
	VPERMB Z4, permutation, t; \
	VGF2P8AFFINEQB $0, matrix, t, t

// LINEAR leaves L(P(S)) as the sum of Z5, Z8 and Z10, of which Z10 is 0 xor the last two terms.
#define LINEAR \
	TERM(Z11, Z19, Z5); \
	TERM(Z12, Z20, Z6); \
	TERM(Z13, Z21, Z7); \
	VPTERNLOGQ $0x96, Z6, Z7, Z5; \
	TERM(Z14, Z22, Z8); \
	TERM(Z15, Z23, Z9); \
	TERM(Z16, Z24, Z10); \
	VPTERNLOGQ $0x96, Z9, Z10, Z8; \
	TERM(Z17, Z25, Z9); \
	TERM(Z18, Z26, Z10)

// func blocksAVX512(h, sum *[8]uint64, n uint64, p *byte, count int, c *[34][64]byte)
TEXT ·blocksAVX512(SB), NOSPLIT, $0-48
	MOVQ c+40(FP), DX
	VMOVDQU64 0x000(DX), Z11
	VMOVDQU64 0x040(DX), Z12
	VMOVDQU64 0x080(DX), Z13
	VMOVDQU64 0x0c0(DX), Z14
	VMOVDQU64 0x100(DX), Z15
	VMOVDQU64 0x140(DX), Z16
	VMOVDQU64 0x180(DX), Z17
	VMOVDQU64 0x1c0(DX), Z18
	VMOVDQU64 0x200(DX), Z19
	VMOVDQU64 0x240(DX), Z20
	VMOVDQU64 0x280(DX), Z21
	VMOVDQU64 0x2c0(DX), Z22
	VMOVDQU64 0x300(DX), Z23
	VMOVDQU64 0x340(DX), Z24
	VMOVDQU64 0x380(DX), Z25
	VMOVDQU64 0x3c0(DX), Z26
	VMOVDQU64 0x400(DX), Z27
	VMOVDQU64 0x440(DX), Z28
	VMOVDQU64 0x480(DX), Z29
	VMOVDQU64 0x4c0(DX), Z30
	VMOVDQU64 0x500(DX), Z31

	MOVQ sum+8(FP), AX
	MOVQ 0(AX), R8
	MOVQ 8(AX), R9
	MOVQ 16(AX), R10
	MOVQ 24(AX), R11
	MOVQ 32(AX), R12
	MOVQ 40(AX), R13
	MOVQ 48(AX), R14
	MOVQ 56(AX), R15

	MOVQ h+0(FP), AX
	MOVQ n+16(FP), BX
	MOVQ p+24(FP), SI
	MOVQ count+32(FP), CX
	VMOVDQU64 (AX), Z3
	VPERMB Z3, Z11, Z3

block:
	// K = LPS(h^N), X = m^K
	VMOVQ BX, X4
	VPERMB Z4, Z11, Z4
	VPXORQ Z3, Z4, Z2
	SUBST(Z2)
	LINEAR
	VPXORQ Z9, Z10, Z10
	VPTERNLOGQ $0x96, Z5, Z8, Z10
	VMOVDQA64 Z10, Z1
	VPXORQ 0x540(DX), Z1, Z2
	VPERMB (SI), Z11, Z0
	VPXORQ Z0, Z3, Z3
	VPXORQ Z1, Z0, Z0

	ADDQ 0(SI), R8
	ADCQ 8(SI), R9
	ADCQ 16(SI), R10
	ADCQ 24(SI), R11
	ADCQ 32(SI), R12
	ADCQ 40(SI), R13
	ADCQ 48(SI), R14
	ADCQ 56(SI), R15

	LEAQ 0x580(DX), DI
	MOVQ $12, AX

round:
	SUBST(Z2)
	LINEAR
	VPXORQ Z9, Z10, Z1
	VMOVDQA64 Z1, Z2
	VPTERNLOGQ $0x96, (DI), Z5, Z2
	VPXORQ Z8, Z2, Z2
	VPTERNLOGQ $0x96, Z5, Z8, Z1
	SUBST(Z0)
	LINEAR
	VPTERNLOGQ $0x96, Z1, Z9, Z10
	VPTERNLOGQ $0x96, Z5, Z8, Z10
	VMOVDQA64 Z10, Z0
	ADDQ $64, DI
	DECQ AX
	JNZ round

	VPXORQ Z0, Z3, Z3
	ADDQ $512, BX
	ADDQ $64, SI
	DECQ CX
	JNZ block

	MOVQ h+0(FP), AX
	VPERMB Z3, Z11, Z3
	VMOVDQU64 Z3, (AX)
	MOVQ sum+8(FP), AX
	MOVQ R8, 0(AX)
	MOVQ R9, 8(AX)
	MOVQ R10, 16(AX)
	MOVQ R11, 24(AX)
	MOVQ R12, 32(AX)
	MOVQ R13, 40(AX)
	MOVQ R14, 48(AX)
	MOVQ R15, 56(AX)
	VZEROUPPER
	RET
