"""Envoy's resources under the names App Mesh gave them, built from admitted resources by pure functions."""
