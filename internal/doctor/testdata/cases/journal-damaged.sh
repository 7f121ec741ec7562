# how: a record of the journal was changed
# code: journal_damaged
"$PERSTEN" origins allow https://portal.example
"$PERSTEN" origins allow https://other.example
sed -i 's,https://portal.example,https://evil.example,' "$STATE/journal.jsonl"
