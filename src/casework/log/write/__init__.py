"""What writes the log: its one writer, the sealer, the signer, their keys."""
