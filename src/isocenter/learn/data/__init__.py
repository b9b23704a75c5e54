"""Cohorts: labelled cases with their patients, sites and subgroups, read from tables and common folder layouts."""
