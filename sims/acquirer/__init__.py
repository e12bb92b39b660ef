"""An acquirer's host: ISO 8583:1987 in ASCII over TCP, outcomes by card number and amount, a journal of what it did."""
