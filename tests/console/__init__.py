"""The console: pages over HTTP as scripts-less browsers ask for them, and in a real browser."""
