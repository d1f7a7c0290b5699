"""Proving who somebody is: passwords, sessions, second factors, outside issuers, and the brake on guessing."""
