"""Phantoms of known truth, Hypothesis strategies and contract suites, shipped to users."""
