"""The policy: an organisation's thresholds, version by version."""
