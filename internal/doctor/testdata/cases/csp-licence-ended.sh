# how: the licence of CryptoPro CSP has ended (a cpconfig that says so)
# code: csp_licence_ended
. "$CASES/csp.inc"
csp 'License validity:\nXXXXXXXXXXXXXXXXXXXXXXXXX\nError code: 0x8007065B\n'
