"""The public xDS conformance suite against our control plane; docs/operating.md says how to run it."""
