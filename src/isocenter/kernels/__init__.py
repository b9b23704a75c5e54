"""Pure functions, arrays and spacing to arrays: the fast loops and the geometry that wings share."""
