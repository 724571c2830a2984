"""The tests of Seere; they mirror the paths of what they test."""
