"""Side by side with other packages, in one run on one machine: tables that can be quoted with a date."""
