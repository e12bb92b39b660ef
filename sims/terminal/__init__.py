"""A shop's terminal: reads test cards, speaks gRPC to the gateway with its certificate, and has a plug to be pulled."""
