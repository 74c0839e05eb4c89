"""The one room that subclasses a RecBole model: binds backbone, loss and sampler."""
