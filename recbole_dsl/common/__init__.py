"""What every other folder may use: errors, checks, files, tensors, processes. Knows no RecBole."""
