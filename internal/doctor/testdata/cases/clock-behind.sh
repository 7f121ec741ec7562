# how: the clock was set back: a file of the agent is from the future
# code: clock_behind
touch -d '+3 days' "$STATE/agent.key"
