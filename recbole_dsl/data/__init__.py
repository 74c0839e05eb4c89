"""From files to batches: import, loading, splits, negative sampling, loaders."""
