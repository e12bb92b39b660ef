"""Who is who in the mesh: a certificate authority of our own and the SPIFFE X.509 SVIDs it issues."""
