"""The payment type resolver: from the merchant's configuration, the rail a payment takes. It remembers nothing."""
