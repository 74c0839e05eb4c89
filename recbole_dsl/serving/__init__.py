"""A trained model without RecBole, without its data and without torch: NumPy and pandas."""
