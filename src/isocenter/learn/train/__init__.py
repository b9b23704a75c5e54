"""Training: a fingerprint becomes a plan, a plan becomes a run, a run becomes a network with its history."""
