# how: the folder of the socket is open to others
# code: agent_folder_open
# before
chmod 755 "$RUN/persten"
touch "$DIR/no-session"
