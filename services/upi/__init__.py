"""The UPI orchestrator: links and QR codes for payers, orders at a PSP, its callbacks, questions when it is silent."""
