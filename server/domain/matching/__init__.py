"""Record linkage after Fellegi and Sunter: comparisons in levels, match weights, calibrated probabilities."""
