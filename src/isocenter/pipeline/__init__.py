"""From a specification to a plan to a run, with cache, lineage and executors."""
