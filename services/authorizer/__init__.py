"""Lets requests in at the edge: for whom a token acts, what its scopes open, and whether the request is well formed."""
