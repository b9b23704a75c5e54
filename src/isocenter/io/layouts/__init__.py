"""Layouts: what names and folders of a dataset say of subject, session and meaning, one convention a file."""
