# how: DISPLAY names a screen that is gone
# code: display_unreachable
echo "DISPLAY=:4095" >> "$ENV"
