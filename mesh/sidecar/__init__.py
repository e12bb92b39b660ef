"""A service's sidecar: the contracts' rules about calls, as Envoy keeps them."""
