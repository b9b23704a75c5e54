"""Explanations: where a model looked, what moved its score, and whether that can be believed."""
