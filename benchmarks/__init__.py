"""What the service costs, measured beside the floors of the machine it runs on."""
