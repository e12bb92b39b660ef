"""The pieces that every Envoy of the mesh is put together from, as typed xDS resources."""
