// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"math/big"

	"github.com/ddulesov/gogost/gost3410"
)

// gogostCurve is the same curve in the other library. Its curves cannot be shared, so each call makes one.
func gogostCurve(c curve) *gost3410.Curve {
	return map[string]func() *gost3410.Curve{
		"CryptoPro-A": gost3410.CurveIdGostR34102001CryptoProAParamSet,
		"CryptoPro-B": gost3410.CurveIdGostR34102001CryptoProBParamSet,
		"CryptoPro-C": gost3410.CurveIdGostR34102001CryptoProCParamSet,
		"TC26-256-A":  gost3410.CurveIdtc26gost34102012256paramSetA,
		"TC26-512-A":  gost3410.CurveIdtc26gost341012512paramSetA,
		"TC26-512-B":  gost3410.CurveIdtc26gost341012512paramSetB,
		"TC26-512-C":  gost3410.CurveIdtc26gost34102012512paramSetC,
		"test-256":    gost3410.CurveIdGostR34102001TestParamSet,
		"test-512":    gogostTest512,
	}[c.name]()
}

func number(s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 16)
	if !ok {
		panic("bad number in a test: " + s)
	}
	return n
}

// gogostTest512 is the curve of the standard's second example, which gogost does not have.
func gogostTest512() *gost3410.Curve {
	c, err := gost3410.NewCurve("test-512",
		number("4531ACD1FE0023C7550D267B6B2FEE80922B14B2FFB90F04D4EB7C09B5D2D15DF1D852741AF4704A0458047E80E4546D35B8336FAC224DD81664BBF528BE6373"),
		number("4531ACD1FE0023C7550D267B6B2FEE80922B14B2FFB90F04D4EB7C09B5D2D15DA82F2D7ECB1DBAC719905C5EECC423F1D86E25EDBE23C595D644AAF187E6E6DF"),
		number("7"),
		number("1CFF0806A31116DA29D8CFA54E57EB748BC5F377E49400FDD788B649ECA1AC4361834013B2AD7322480A89CA58E0CF74BC9E540C2ADD6897FAD0A3084F302ADC"),
		number("24D19CC64572EE30F396BF6EBBFD7A6C5213B3B3D7057CC825F91093A68CD762FD60611262CD838DC6B60AA7EEE804E28BC849977FAC33B4B530F1B120248A9A"),
		number("2BB312A43BD2CE6E0D020613C857ACDDCFBF061E91E5F2C3F32447C259F39B2C83AB156D77F1496BF7EB3351E1EE4E43DC1A18B91B24640B6DBB92CB1ADD371E"),
		nil, nil)
	if err != nil {
		panic(err)
	}
	return c
}
