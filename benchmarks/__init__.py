"""Each benchmark measures both sides in turn in one run, prints a table, and as its last line one JSON object."""
