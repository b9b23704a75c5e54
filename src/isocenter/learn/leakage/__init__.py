"""What would flatter a result, found before training: copies across a split, shared patients, labels that leak."""
