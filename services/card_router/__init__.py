"""Picks an acquirer for a card payment and speaks ISO 8583 to it."""
