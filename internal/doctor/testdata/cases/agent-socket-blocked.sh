# how: a plain file is where the socket belongs
# code: agent_socket_blocked
# before
echo leftover > "$RUN/persten/session.sock"
touch "$DIR/no-session"
