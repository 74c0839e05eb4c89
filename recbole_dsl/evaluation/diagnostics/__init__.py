"""How a softmax loss treats positives and negatives by popularity: temperature, prior, worst case.

``row_measures`` measures training rows, ``by_popularity`` sums them up by group, ``report`` makes
plain data and a table of text, ``page`` draws plots; ``after_training`` does all of it at the end
of a run.
"""
