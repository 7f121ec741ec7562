# how: CryptoPro CSP is there without its PKCS#11 library (folders only: the CSP itself cannot be installed by a script)
# code: csp_pkcs11_absent
mkdir -p "$ROOT/opt/cprocsp/lib/amd64"
