// tweetnacl asks Node for random numbers where there is no browser; here nobody does.
