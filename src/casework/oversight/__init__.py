"""What keeps the work within the law beside it: personal data, their retention and erasure."""
