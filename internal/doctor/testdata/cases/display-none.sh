# how: there is no graphical session
# code: display_none
echo "DISPLAY=" >> "$ENV"
