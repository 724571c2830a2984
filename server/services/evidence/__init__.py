"""Evidence: files of complaints, from what a device declares to what a person looks at."""
