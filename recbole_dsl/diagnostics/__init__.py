"""What a softmax loss does to whom: temperature, prior and worst case by popularity.

``settings.py`` says which losses have diagnostics, ``rows.py`` measures training rows,
``groups.py`` sums them up by popularity, ``page.py`` draws them; ``after_training.py`` and
``command.py`` are the two ways to ask.
"""
