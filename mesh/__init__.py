"""The mesh: what is compiled from the contracts, and what runs it."""
