"""What lets RecBole 1.2.1 run on today's NumPy, SciPy, pandas and torch.

Nothing is changed at import: :func:`recbole_dsl.compat.apply.apply` changes it, once for a process.
"""
