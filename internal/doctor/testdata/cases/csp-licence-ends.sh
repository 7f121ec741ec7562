# how: the licence of CryptoPro CSP ends in nine days (a cpconfig that says so)
# code: csp_licence_ends
. "$CASES/csp.inc"
csp 'License validity:\nXXXXXXXXXXXXXXXXXXXXXXXXX\nExpires: 0 month(s) 9 day(s)\nLicense type: Client.\n'
