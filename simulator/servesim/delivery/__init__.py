"""What people use: the command line, the handle that tests get, the demo."""
