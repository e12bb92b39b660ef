"""The risk model behind a SageMaker endpoint: its container's contract, and a small model of its own training."""
