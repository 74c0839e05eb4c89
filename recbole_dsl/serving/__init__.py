"""A trained model without RecBole, without its data and without torch: NumPy, SciPy and pandas."""
