"""The shops' terminals: card-present payments by the terminal's own reference, given back when it could not be told."""
