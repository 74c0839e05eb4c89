"""One run, and many: run, load, tune, benchmark."""
