"""What one streaming pass over a table remembers: small, mergeable, in any order."""
