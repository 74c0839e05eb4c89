"""A trained model without RecBole or its data. Nothing is here yet."""
