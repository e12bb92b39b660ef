"""The public edge: REST and JSON outside, gRPC and mutual TLS inside, compiled from the contracts' REST forms."""
