def queue(): pass
