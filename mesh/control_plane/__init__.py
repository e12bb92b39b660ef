"""The control plane: serves every Envoy its resources over xDS, from one immutable snapshot per node."""
