# how: the program was updated while the session of the old version runs on
# code: agent_version
# with: host_other_program
. "$CASES/program.inc"
updated
