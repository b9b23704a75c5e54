"""Judging predictions: scores with intervals over patients, calibration, comparison, subgroups, survival, honesty checks."""
