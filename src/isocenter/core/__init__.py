"""The nouns, the operation protocol and the registry: frozen values that everything else speaks in."""
