"""Pictures of what runs measured, and reports on runs."""
