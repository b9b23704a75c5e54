"""Learning to outline: cases with masks, what simple models make of them, and how each outline is judged."""
