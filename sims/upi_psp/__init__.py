"""A UPI payment service provider: orders, the payer's app, signed callbacks. Outcomes by the payer's address."""
