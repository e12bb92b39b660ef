"""What tests share: the real parts, tables in text, and the proof that a handler acts once."""
