"""The site: shows what the jobs do."""
