"""HTTP as CloudStack speaks it: the open integration port, the authenticated API port, JSON and XML."""
