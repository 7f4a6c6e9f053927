"""The page of an audit: what was found, and suspicious images to go through by keyboard."""
