"""Real load through the edge while one part after another is killed, stopped or cut off; then everybody's books."""
