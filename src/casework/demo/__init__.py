"""A made-up branch to show and measure the service on. Nothing in it is, or could be, a real person."""
