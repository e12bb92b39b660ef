"""The web application firewall: ModSecurity with the OWASP Core Rule Set, for what merchants and PSPs write."""
