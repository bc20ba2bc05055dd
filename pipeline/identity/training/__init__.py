"""Match weights learnt from what is stored: frequencies of names, rates by EM without labels."""
