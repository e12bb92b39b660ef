"""Rate limits: how often a client may call what, counted in Redis for every edge together."""
