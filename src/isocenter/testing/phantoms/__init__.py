"""Images of known truth: pure functions of their parameters and a seed, for tests, demonstrations and teaching."""
