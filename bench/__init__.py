"""
The server beside what people would run instead, measured in one run on one machine.

``python -m bench`` starts everything itself: a vendor, our server, peers in Node and bare loops.
Each trial has its contestants take turns, round after round; a line of the table is made of the
figures of one round, so that what slows down the machine for a while slows down both sides.
"""
