def cluster(): pass
