"""What the product is made of: licences of what it needs, and known vulnerabilities of it."""
