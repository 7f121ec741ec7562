# how: a folder is where the journal belongs
# code: journal_unwritable
rm -f "$STATE/journal.jsonl"
mkdir "$STATE/journal.jsonl"
