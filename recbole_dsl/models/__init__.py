"""A backbone, a loss and a negative sampler as one RecBole model, by name."""
