"""`florin check`: whether a window of time adds up, from everybody's own books."""
