"""The risk engine: rules over velocity counters, then a model's score, within a time budget."""
