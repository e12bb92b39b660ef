"""What is made from the contracts: generated code, the descriptor image Envoy reads, the merchants' OpenAPI document."""
