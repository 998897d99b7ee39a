"""The dialer over HTTP: campaigns and scripts for marketing, the desk for operators, the floor for supervisors."""
