"""Figures, scenes and reports: composed here, written by io."""
