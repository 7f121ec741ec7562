# how: pcscd is installed and not running
# code: pcscd_stopped
echo "PCSCLITE_CSOCK_NAME=$DIR/none" >> "$ENV"
