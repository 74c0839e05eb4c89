"""RecBole's own models in the place of a backbone: their vectors, with a loss of this package."""
