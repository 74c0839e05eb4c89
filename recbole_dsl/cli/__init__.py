"""The commands: words in, one line for every mistake, an exit code out."""
