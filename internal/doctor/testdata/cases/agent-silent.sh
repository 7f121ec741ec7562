# how: the session is stopped (SIGSTOP): it takes connections and answers none
# code: agent_silent
kill -STOP "$SESSION"
