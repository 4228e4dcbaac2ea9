"""What whoever runs a server meets: its log, figures and traces, whether it is ready, and how it stops."""
