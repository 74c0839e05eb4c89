"""Trainers, epochs, optimizers and checkpoints."""
