"""What is made from the contracts: stubs, the descriptor image Envoy reads, the merchants' OpenAPI document."""
