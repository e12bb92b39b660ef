"""The vault: the one service that keeps card numbers."""
