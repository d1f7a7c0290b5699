"""Who works at the branch: posts, leave, permissions, and how they show who they are."""
