"""What is shown to whoever did not see it happen: verification, bundles, dossiers, the past, search."""
