"""Rate limits: how often something may be done, counted where all workers see it."""
