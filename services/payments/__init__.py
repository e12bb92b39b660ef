"""The merchants' API: takes payments, waits for their outcome, keeps the merchant's view of them."""
