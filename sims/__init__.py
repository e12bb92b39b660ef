"""The outside world, simulated: acquirer hosts, a UPI PSP, the risk model. They share no code with Florin."""
