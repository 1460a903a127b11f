"""Pretraining of what agents see through: data, encoders trained with labels or without, and how good they are."""
