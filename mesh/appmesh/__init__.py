"""App Mesh without AWS: v1beta2 resources in, the configuration of every Envoy out."""
