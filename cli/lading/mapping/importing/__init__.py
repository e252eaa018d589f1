"""Mappings of Port's own integrations, taken over as mappings of a project."""
