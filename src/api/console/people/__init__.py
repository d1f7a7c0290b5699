"""The register: who works here, in which posts, who is away."""
