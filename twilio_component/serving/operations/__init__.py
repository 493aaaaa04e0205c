"""The page of operations: what ``runs`` shows and does on the command line, for people, in a browser."""
